"""Few queries read all tokens, without the keys and values of any.

``q . (W x) = (W^T q) . x``, and a weighted mean of ``W x`` is ``W`` of the weighted mean: so keys' weights turn the
queries, values' weights the means, and the tokens serve as they are. DeepSeek-V2 absorbs projections so (arXiv
2405.04434, section 2.1.2); that few tokens ask at all is the last block's, as in CaiT (arXiv 2103.17239, section 3).

Shapes: r queries of every image, h heads; others as in the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

if TYPE_CHECKING:
    from vit.attention import Attend


def read(tokens: Tensor, reads: int, qkv: nn.Linear, num_heads: int, bias: Tensor | None, attend: Attend) -> Tensor:
    """What attention gives the first ``reads`` tokens, heads side by side: ``(b, n, d) -> (b, r, d)``.

    For queries and keys that no scheme rotates, and attention weights that nothing drops. The keys' bias is left
    out: it adds the same to all logits of a query, which a softmax does not see.

    Args:
        tokens: ``(b, n, d)``.
        reads: r.
        qkv: d to queries, keys and values, d each.
        num_heads: h.
        bias: of the logits, ``(h, r, n)``.
        attend: an entry of ``ATTENTION_KERNELS``.
    """
    b = tokens.shape[0]
    wq, wk, wv = qkv.weight.chunk(3)
    bq, _, bv = (None,) * 3 if qkv.bias is None else qkv.bias.chunk(3)
    queries = _queries(tokens[:, :reads], wq, bq, num_heads)
    turned = _through_keys(queries, wk, b)
    means = _means(turned, tokens, bias, attend)
    values = _through_values(means, wv, num_heads)
    return _side_by_side(values, bv, b)


def _queries(asking: Tensor, wq: Tensor, bq: Tensor | None, num_heads: int) -> Tensor:
    """1. Project: ``(b, r, d) -> (h, b*r, e)``; kernels divide by sqrt(d), as if one head had all dimensions."""
    projected = F.linear(asking, wq, bq)
    queries: Tensor = rearrange(projected * num_heads**0.5, "b r (h e) -> h (b r) e", h=num_heads)
    return queries


def _through_keys(queries: Tensor, wk: Tensor, b: int) -> Tensor:
    """2. Turn them by the keys' weights, to what they ask of tokens: ``(h, b*r, e) -> (b, 1, h*r, d)``."""
    turned = queries @ rearrange(wk, "(h e) d -> h e d", h=queries.shape[0])
    flat: Tensor = rearrange(turned, "h (b r) d -> b 1 (h r) d", b=b)
    return flat


def _means(turned: Tensor, tokens: Tensor, bias: Tensor | None, attend: Attend) -> Tensor:
    """3. Attend to tokens as they are: their weighted means, ``(b, 1, h*r, d)``."""
    flat_bias = None if bias is None else rearrange(bias, "h r n -> 1 (h r) n")
    tokens = tokens[:, None]
    return attend(turned, tokens, tokens, flat_bias, 0.0)


def _through_values(means: Tensor, wv: Tensor, num_heads: int) -> Tensor:
    """4. Turn the means by the values' weights: ``(b, 1, h*r, d) -> (h, b*r, e)``."""
    per_head: Tensor = rearrange(means, "b 1 (h r) d -> h (b r) d", h=num_heads)
    return per_head @ rearrange(wv, "(h e) d -> h d e", h=num_heads)


def _side_by_side(values: Tensor, bv: Tensor | None, b: int) -> Tensor:
    """5. Heads side by side, and the values' bias, whose weighted mean is itself: ``(h, b*r, e) -> (b, r, d)``."""
    out: Tensor = rearrange(values, "h (b r) e -> b r (h e)", b=b)
    return out if bv is None else out + bv
