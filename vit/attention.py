"""Multi-head self-attention with every positional hook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vit.few_queries import read
from vit.norms import NORMS
from vit.positional import Positional
from vit.registry import Component, Registry

if TYPE_CHECKING:
    from vit.config import ViTConfig


class Attend(Protocol):
    """Queries, keys, values ``(b, heads, n, head_dim)``, a logit bias -> ``(b, heads, n, head_dim)``."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, dropout: float) -> Tensor: ...


ATTENTION_KERNELS: Registry[Attend] = Registry("attention kernel")


@ATTENTION_KERNELS.register("explicit")
def explicit(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, dropout: float) -> Tensor:
    """softmax(q k^T / sqrt(head_dim) + bias) v, written out: the faster one for short sequences on a CPU."""
    weights = attention_weights(q, k, bias)
    # random draws follow the layout in memory: contiguous, they are those of any other attention
    return F.dropout(weights.contiguous(), dropout) @ v if dropout else weights @ v


@ATTENTION_KERNELS.register("sdpa")
def sdpa(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, dropout: float) -> Tensor:
    """torch's fused kernels: the faster one on a GPU and for long sequences."""
    mask = None if bias is None else bias.to(q.dtype)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)


def attention_weights(q: Tensor, k: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(head_dim) + bias): ``(b, heads, n, n)``, every row a distribution.

    The softmax of a lower precision is taken in float32: on a CPU that is also faster, up to 1.2x a train step.
    Keys stand in rows meanwhile, so that it runs across vectors: short rows would leave most of a register empty.
    """
    logits = k @ (q * q.shape[-1] ** -0.5).mT
    if bias is not None:
        logits = logits + bias.mT
    precise = torch.promote_types(logits.dtype, torch.float32)
    weights: Tensor = logits.softmax(dim=-2, dtype=precise).to(logits.dtype)
    return weights.mT


class RowLinear(nn.Linear):
    """A linear layer that can compute some of its outputs alone."""

    def some(self, inputs: Tensor, rows: slice) -> Tensor:
        """``(..., in_features) -> (..., rows)``: what ``forward(inputs)[..., rows]`` is, without the rest."""
        return F.linear(inputs, self.weight[rows], None if self.bias is None else self.bias[rows])


ATTENTION_TYPES: Registry[type[Attention]] = Registry("attention type")


@ATTENTION_TYPES.register("softmax")
class Attention(Component, nn.Module):
    """Self-attention of a pre-norm block: softmax(q k^T / sqrt(head_dim)) v (ViT paper, appendix A).

    ``(b, n, d) -> (b, n, d)``; with ``qk_norm`` queries and keys are normalised per head (arXiv 2302.05442, section 2).
    """

    kernel: str = "explicit"
    plain: bool
    """Whether logits are linear in the keys' tokens, so that few queries need not compute keys."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.num_heads, self.head_dim = config.num_heads, config.head_dim
        self.attention_dropout = config.attention_dropout
        self.qkv = RowLinear(config.embed_dim, 3 * config.embed_dim, bias=config.qkv_bias)
        self.proj = nn.Linear(config.embed_dim, config.embed_dim) if config.out_proj else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.plain = not config.qk_norm
        norm, head = NORMS[config.norm], (config.head_dim, config.norm_eps)
        self.q_norm = norm.build(*head) if config.qk_norm else nn.Identity()
        self.k_norm = norm.build(*head) if config.qk_norm else nn.Identity()

    def heads(self, tokens: Tensor, positional: Positional, reads: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values ``(b, heads, n, head_dim)``, normalised and rotated where that is asked for.

        With ``reads`` only so many queries, of the first tokens.
        """
        # unpacked at once: slices would each fill a zero gradient of the whole
        if reads is None:
            q, k, v = self._split(self.qkv(tokens))
        else:
            d = self.qkv.in_features
            (q,) = self._split(self.qkv.some(tokens[:, :reads], slice(d)))
            k, v = self._split(self.qkv.some(tokens, slice(d, None)))
        return positional.rotate(self.q_norm(q)), positional.rotate(self.k_norm(k)), v

    def bias(self, positional: Positional, reads: int | None = None) -> Tensor | None:
        """What is added to the logits of the first ``reads`` queries, or of all: ``(..., reads, n)``."""
        bias = positional.bias()
        return None if bias is None else bias[..., :reads, :]

    def _split(self, projected: Tensor) -> Tensor:
        heads: Tensor = rearrange(projected, "b n (parts h e) -> parts b h n e", h=self.num_heads, e=self.head_dim)
        return heads

    def forward(self, tokens: Tensor, positional: Positional, reads: int | None = None) -> Tensor:
        """With ``reads`` only so many tokens, from the first, attend: ``(b, n, d) -> (b, reads, d)``."""
        bias = self.bias(positional, reads)
        dropout = self.attention_dropout if self.training else 0.0
        attend = ATTENTION_KERNELS[self.kernel]
        if reads is not None and self.plain and not dropout and not positional.rotates():
            mixed = read(tokens, reads, self.qkv, self.num_heads, bias, attend)
        else:
            q, k, v = self.heads(tokens, positional, reads)
            mixed = rearrange(attend(q, k, v, bias, dropout), "b h n e -> b n (h e)")
        out: Tensor = self.dropout(self.proj(mixed))
        return out


@ATTENTION_TYPES.register("lsa")
class LocalitySelfAttention(Attention):
    """No token attends to itself, and every head learns its temperature (Lee et al., arXiv 2112.13492, section 3.3).

    The temperature is a factor of the usual 1 / sqrt(head_dim), 1 at first.
    """

    not_itself: Tensor

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.plain = False
        self.temperature = Temperature(config.num_heads)
        mask = torch.zeros(config.num_tokens, config.num_tokens).fill_diagonal_(-torch.inf)
        self.register_buffer("not_itself", mask, persistent=False)

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        if config.num_tokens > 1:
            return None
        return "attention_type='lsa' forbids a token to attend to itself: one token alone has no other; add a register"

    def heads(self, tokens: Tensor, positional: Positional, reads: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = super().heads(tokens, positional, reads)
        return self.temperature(q), k, v

    def bias(self, positional: Positional, reads: int | None = None) -> Tensor:
        bias, mask = super().bias(positional, reads), self.not_itself[:reads]
        return mask if bias is None else bias + mask


class Temperature(nn.Module):
    """A learned factor per head: ``(b, heads, n, e) -> (b, heads, n, e)``."""

    def __init__(self, num_heads: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_heads))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As if there were none."""
        nn.init.ones_(self.weight)

    def forward(self, heads: Tensor) -> Tensor:
        return heads * self.weight[:, None, None]
