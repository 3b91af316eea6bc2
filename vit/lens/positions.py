"""What a positional scheme tells the model, whichever hook it uses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vit.lens.evaluating import NothingToSeeError
from vit.model import ViT


@dataclass(frozen=True)
class Similarity:
    """How alike positions look to the model."""

    kind: str
    """``"cosine"`` of added vectors, ``"rotation"`` of queries and keys, or ``"bias"`` on the logits."""
    values: Tensor
    """``(m, m)``: from the position of the row to the position of the column."""


@torch.no_grad()
def position_vectors(model: ViT) -> Tensor:
    """What the positional scheme adds to the token of every patch: ``(m, d)``.

    Raises:
        NothingToSeeError: the scheme adds nothing to tokens.
    """
    added = _added(model)
    if not added.any():
        raise NothingToSeeError(f"positional={model.config.positional!r} adds no vector to the tokens")
    return added


@torch.no_grad()
def position_similarity(model: ViT) -> Similarity:
    """How alike every two positions are, by the first hook that does anything (ViT paper, figure 7 centre).

    Added vectors: their cosine. A bias: that of query i for key j, mean over heads. A rotation: the mean over
    all unit vectors u of (u turned as a query at i) . (u turned as a key at j), which is 1 where i = j.

    Raises:
        NothingToSeeError: the scheme tells the model nothing about positions.
    """
    prefix = model.config.num_prefix_tokens
    added = _added(model)
    if added.any():
        vectors = F.normalize(added, dim=-1)
        return Similarity("cosine", vectors @ vectors.T)
    bias = model.positional.bias()
    if bias is not None:
        return Similarity("bias", bias[:, prefix:, prefix:].mean(dim=0))
    turned = _turned(model)
    if turned is not None:
        return Similarity("rotation", turned[prefix:, prefix:])
    raise NothingToSeeError(f"positional={model.config.positional!r} tells the model nothing about positions")


def _added(model: ViT) -> Tensor:
    config = model.config
    nothing = model.patch_embedding.weight.new_zeros(1, config.num_tokens, config.embed_dim)
    added: Tensor = model.positional.add(nothing)[0, config.num_prefix_tokens :]
    return added


def _turned(model: ViT) -> Tensor | None:
    """Mean similarity of equal unit vectors after rotation ``(n, n)``, or None where nothing rotates."""
    config = model.config
    # the mean of a quadratic form over the unit sphere is its trace / dimension: basis vectors suffice
    basis = torch.eye(config.head_dim).to(model.patch_embedding.weight)
    units = basis[:, None, None].expand(-1, config.num_heads, config.num_tokens, -1)
    turned = model.positional.rotate(units)
    if torch.equal(turned, units):
        return None
    return torch.einsum("u h i e, u h j e -> i j", turned, turned) / (config.num_heads * config.head_dim)
