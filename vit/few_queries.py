"""Few queries read all tokens, without the keys and values of any.

``q . (W x) = (W^T q) . x``, and a weighted mean of ``W x`` is ``W`` of the weighted mean: so keys' weights turn the
queries, values' weights the means, and the tokens serve as they are. DeepSeek-V2 absorbs projections so (arXiv
2405.04434, section 2.1.2); that few tokens ask at all is the last block's, as in CaiT (arXiv 2103.17239, section 3).

Shapes: r queries of every image, h heads; m models, one but in a stack, whose images lie model by model in b.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from einops import rearrange
from torch import Tensor

if TYPE_CHECKING:
    from vit.attention import Attend, RowLinear


def read(tokens: Tensor, reads: int, qkv: RowLinear, num_heads: int, bias: Tensor | None, attend: Attend) -> Tensor:
    """What attention gives the first ``reads`` tokens, heads side by side: ``(b, n, d) -> (b, r, d)``.

    For queries and keys that no scheme rotates, and attention weights that nothing drops. The keys' bias is left
    out: it adds the same to all logits of a query, which a softmax does not see.

    Args:
        tokens: ``(b, n, d)``.
        reads: r.
        qkv: d to queries, keys and values, d each; its weight ``(3d, d)``, or ``(m, 3d, d)`` in a stack.
        num_heads: h.
        bias: of the logits, ``(h, r, n)``, or ``(b, h, r, n)`` in a stack.
        attend: an entry of ``ATTENTION_KERNELS``.
    """
    d = tokens.shape[-1]
    m = qkv.weight.numel() // (3 * d * d)
    _, wk, wv = qkv.weight.view(m, 3 * d, d).chunk(3, dim=1)
    queries = _queries(qkv.some(tokens[:, :reads], slice(d)), num_heads, m)
    turned = _through_keys(queries, wk, tokens.shape[0] // m)  # len() would fix the size of an exported batch
    means = _means(turned, tokens, bias, attend)
    values = _through_values(means, wv, num_heads)
    bv = None if qkv.bias is None else qkv.bias.view(m, 1, 3 * d)[..., 2 * d :]
    return _side_by_side(values, bv, m, reads)


def _queries(projected: Tensor, num_heads: int, m: int) -> Tensor:
    """1. A row a query: ``(b, r, d) -> (m*h, b/m*r, e)``; kernels divide by sqrt(d), as if one head had them all."""
    scaled = projected * num_heads**0.5
    queries: Tensor = rearrange(scaled, "(m b) r (h e) -> (m h) (b r) e", m=m, h=num_heads)
    return queries


def _through_keys(queries: Tensor, wk: Tensor, per_model: int) -> Tensor:
    """2. Turn them by the keys' weights, to what they ask of tokens: ``(m*h, b/m*r, e) -> (b, 1, h*r, d)``."""
    turned = queries @ rearrange(wk, "m (h e) d -> (m h) e d", e=queries.shape[-1])
    flat: Tensor = rearrange(turned, "(m h) (b r) d -> (m b) 1 (h r) d", m=len(wk), b=per_model)
    return flat


def _means(turned: Tensor, tokens: Tensor, bias: Tensor | None, attend: Attend) -> Tensor:
    """3. Attend to tokens as they are: their weighted means, ``(b, 1, h*r, d)``."""
    flat_bias = None if bias is None else rearrange(bias, "... h r n -> ... 1 (h r) n")
    tokens = tokens[:, None]
    return attend(turned, tokens, tokens, flat_bias, 0.0)


def _through_values(means: Tensor, wv: Tensor, num_heads: int) -> Tensor:
    """4. Turn the means by the values' weights: ``(b, 1, h*r, d) -> (m*h, b/m*r, e)``."""
    per_head: Tensor = rearrange(means, "(m b) 1 (h r) d -> (m h) (b r) d", m=len(wv), h=num_heads)
    return per_head @ rearrange(wv, "m (h e) d -> (m h) d e", h=num_heads)


def _side_by_side(values: Tensor, bv: Tensor | None, m: int, reads: int) -> Tensor:
    """5. Heads side by side, and the values' bias ``(m, 1, d)``, whose mean is itself: ``(b, r, d)``."""
    out: Tensor = rearrange(values, "(m h) rows e -> m rows (h e)", m=m)
    out = out if bv is None else out + bv
    return out.reshape(-1, reads, out.shape[-1])
