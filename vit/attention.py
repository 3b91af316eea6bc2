"""Multi-head self-attention with every positional hook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vit.positional import Positional
from vit.registry import Registry

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


class Attention(nn.Module):
    """Self-attention of a pre-norm block: ``(b, n, d) -> (b, n, d)`` (ViT paper, appendix A)."""

    kernel: str = "explicit"

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.num_heads, self.head_dim = config.num_heads, config.head_dim
        self.attention_dropout = config.attention_dropout
        self.qkv = RowLinear(config.embed_dim, 3 * config.embed_dim, bias=config.qkv_bias)
        self.proj = nn.Linear(config.embed_dim, config.embed_dim) if config.out_proj else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)

    def heads(self, tokens: Tensor, positional: Positional, reads: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values ``(b, heads, n, head_dim)``, rotated where the scheme rotates.

        With ``reads`` only so many queries, of the first tokens.
        """
        # unpacked at once: slices would each fill a zero gradient of the whole
        if reads is None:
            q, k, v = self._split(self.qkv(tokens))
        else:
            d = self.qkv.in_features
            (q,) = self._split(self.qkv.some(tokens[:, :reads], slice(d)))
            k, v = self._split(self.qkv.some(tokens, slice(d, None)))
        return positional.rotate(q), positional.rotate(k), v

    def _split(self, projected: Tensor) -> Tensor:
        heads: Tensor = rearrange(projected, "b n (parts h e) -> parts b h n e", h=self.num_heads, e=self.head_dim)
        return heads

    def forward(self, tokens: Tensor, positional: Positional, reads: int | None = None) -> Tensor:
        """With ``reads`` only so many tokens, from the first, attend: ``(b, n, d) -> (b, reads, d)``."""
        bias = positional.bias()
        if bias is not None:
            bias = bias[..., :reads, :]
        dropout = self.attention_dropout if self.training else 0.0
        alone = isinstance(self.qkv, RowLinear)  # and not stacked with other models'
        if reads is not None and alone and not dropout and not positional.rotates():
            mixed = self._read(tokens, bias, reads)
        else:
            q, k, v = self.heads(tokens, positional, reads)
            mixed = rearrange(ATTENTION_KERNELS[self.kernel](q, k, v, bias, dropout), "b h n e -> b n (h e)")
        out: Tensor = self.dropout(self.proj(mixed))
        return out

    def _read(self, tokens: Tensor, bias: Tensor | None, reads: int) -> Tensor:
        """What few queries make of all tokens, ``(b, reads, d)``, without the keys and values of any.

        ``q . (W x) = (W^T q) . x``, and a weighted mean of ``W x`` is ``W`` of the mean: so keys' weights turn the
        queries, values' weights the means, and the tokens serve as they are. The keys' bias adds the same to all
        logits of a query, which a softmax does not see.
        """
        b, h = len(tokens), self.num_heads
        wq, wk, wv = self.qkv.weight.chunk(3)
        bq, _, bv = (None,) * 3 if self.qkv.bias is None else self.qkv.bias.chunk(3)
        # kernels divide by sqrt(d), as if there were one head of all dimensions
        q = rearrange(F.linear(tokens[:, :reads], wq, bq) * h**0.5, "b r (h e) -> h (b r) e", h=h)
        turned = rearrange(q @ rearrange(wk, "(h e) d -> h e d", h=h), "h (b r) d -> b 1 (h r) d", b=b)
        flat_bias = None if bias is None else rearrange(bias, "h r n -> 1 (h r) n")
        tokens = tokens[:, None]
        means = ATTENTION_KERNELS[self.kernel](turned, tokens, tokens, flat_bias, 0.0)
        values = rearrange(means, "b 1 (h r) d -> h (b r) d", h=h) @ rearrange(wv, "(h e) d -> h d e", h=h)
        out: Tensor = rearrange(values, "h (b r) e -> b r (h e)", b=b)
        return out if bv is None else out + bv
