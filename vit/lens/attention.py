"""Where a model attends: maps, rollout, distances, medians."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from vit.attention import attention_weights
from vit.lens.evaluating import BATCH, at_rest, prepared, with_label
from vit.lens.geometry import patch_centres
from vit.model import Block, ViT


@torch.no_grad()
def attention_maps(model: ViT, images: Tensor) -> Tensor:
    """Softmax weights of every block and head: ``(b, c, h, w) -> (l, b, heads, n, n)``, rows sum to 1."""
    return _look(model, images)[0]


@torch.no_grad()
def readout_attention(model: ViT, images: Tensor) -> Tensor:
    """What the readout attends to in every block and head: ``(l, b, heads, m)``, distributions over patches.

    The row of the class token; with mean pooling the mean row of the patches; with attention pooling the
    rows weighted as it weights them.
    """
    maps, tokens = _look(model, images)
    rows = torch.einsum("b q, l b h q n -> l b h n", readout_weights(model, tokens), maps)
    return _over_patches(model, rows)


@torch.no_grad()
def rollout(model: ViT, images: Tensor) -> Tensor:
    """Attention rollout from the readout down to the patches: ``(b, m)``, every row a distribution.

    Heads are averaged and half of every token passes the attention by: the product of the blocks'
    ``0.5 A + 0.5 I`` (Abnar & Zuidema, arXiv 2005.00928, section 3).
    """
    maps, tokens = _look(model, images)
    flow = readout_weights(model, tokens)[:, None]  # (b, 1, n)
    for attention in maps.mean(dim=2).flip(0):  # (b, n, n), the last block first
        flow = 0.5 * flow @ attention + 0.5 * flow
    return _over_patches(model, flow[:, 0])


@torch.no_grad()
def attention_distance(model: ViT, images: Tensor, batch_size: int = BATCH) -> Tensor:
    """Mean distance in pixels of a patch to what it attends to: ``(l, heads)`` (ViT paper, figure 7 right).

    Between true patch centres, averaged over images and patches; prefix tokens are left out and the
    remaining weights of a row scaled to sum 1.
    """
    centres = patch_centres(model.config)
    distances = torch.cdist(centres, centres)  # (m, m)
    total = torch.zeros(model.config.depth, model.config.num_heads, dtype=torch.float64)
    for batch in torch.split(images, batch_size):
        rows = attention_maps(model, batch)[..., model.config.num_prefix_tokens :, :]
        reach = (_over_patches(model, rows) * distances.to(rows)).sum(dim=-1)  # (l, b, heads, m)
        total += reach.double().mean(dim=-1).sum(dim=1).cpu()
    return total / len(images)


@torch.no_grad()
def median_attention(
    model: ViT,
    images: Tensor,
    labels: Tensor,
    wanted: Sequence[int],
    batch_size: int = BATCH,
    memory: int = 256 * 2**20,
) -> dict[int, Tensor]:
    """Median over the images of a label of every attention weight: label -> ``(l, heads, n, n)``.

    Exact. ``memory`` bounds the bytes gathered at once: where the rows of all attention matrices do not
    fit together, the images are run again for the next rows.

    Raises:
        NothingToSeeError: a wanted label has no image.
    """
    config, medians = model.config, {}
    for label in wanted:
        chosen = with_label(images, labels, label)
        bytes_per_row = 4 * len(chosen) * config.depth * config.num_heads * config.num_tokens
        step = max(1, memory // bytes_per_row)
        parts = []
        for start in range(0, config.num_tokens, step):
            batches = torch.split(chosen, batch_size)
            rows = [attention_maps(model, b)[..., start : start + step, :].cpu() for b in batches]
            parts.append(_median(torch.cat(rows, dim=1), dim=1))
        medians[label] = torch.cat(parts, dim=2)
    return medians


def readout_weights(model: ViT, tokens: Tensor) -> Tensor:
    """Share of every token in the vector that the head reads: ``(b, n, d) -> (b, n)``, rows sum to 1.

    Where the tokens decide, as the pooling says: its softmax weights, mean over its heads. Any other: by the gradient
    of what it returns, which is exact for a fixed weighted sum such as class token and mean.
    """
    pooling = model.pooling
    if (shares := pooling.weights(tokens)) is not None:
        return F.pad(shares, (model.config.num_prefix_tokens, 0))
    with torch.inference_mode(False), torch.enable_grad():
        tokens = tokens.detach().clone().requires_grad_()
        pooled: Tensor = pooling(tokens)
        probe = torch.linspace(1, 2, pooled.shape[-1]).to(pooled)
        (gradient,) = torch.autograd.grad((pooled * probe).sum(), tokens)
    share: Tensor = torch.linalg.vector_norm(gradient, dim=-1)
    return share / share.sum(dim=-1, keepdim=True)


def _look(model: ViT, images: Tensor) -> tuple[Tensor, Tensor]:
    """Attention ``(l, b, heads, n, n)``, and the tokens ``(b, n, d)`` that the pooling gets."""
    maps = []
    with at_rest(model):
        tokens = model.embed(model.patches(prepared(model, images)))
        for block in cast(Iterable[Block], model.blocks):
            queries, keys, _ = block.attention.heads(block.norm1(tokens), model.positional)
            maps.append(attention_weights(queries, keys, block.attention.bias(model.positional)))
            tokens = block(tokens, model.positional)
        return torch.stack(maps), model.norm(tokens)


def _over_patches(model: ViT, rows: Tensor) -> Tensor:
    """Leave the prefix tokens out of rows ``(..., n)``, scale what is left to sum 1: ``(..., m)``."""
    patches = rows[..., model.config.num_prefix_tokens :]
    return patches / patches.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)


def _median(values: Tensor, dim: int) -> Tensor:
    """The usual median; torch's own takes the lower of the two middle values."""
    return (values.median(dim=dim).values - (-values).median(dim=dim).values) / 2
