"""Weights of one of our models into another that need not be quite the same: the start of fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from vit.config import ViTConfig
from vit.interop.source import InteropError
from vit.model import ViT

ENDS = ("stem.", "patch_norm.", "patch_embedding.", "prefix.", "positional.", "pooling.", "head.")
"""Parts that may differ between the two: what is read, where it lies, what is told apart."""


@dataclass(frozen=True)
class Transfer:
    """Names of tensors that were copied, that were resampled to another grid, and that keep what they had."""

    copied: tuple[str, ...]
    resampled: tuple[str, ...]
    kept: tuple[str, ...]

    def __str__(self) -> str:
        told = f"{len(self.copied)} tensors copied"
        if self.resampled:
            told += f", resampled: {', '.join(self.resampled)}"
        return told + (f", left as drawn: {', '.join(self.kept)}" if self.kept else "")


@torch.no_grad()
def transfer(source: ViT, target: ViT) -> Transfer:
    """Copy what fits of ``source`` into ``target``, in place.

    Blocks and norms must all fit. Learned positions are resampled where the grid differs (ViT paper, section 3.2;
    bicubic, as timm does); the embedding of patches of another size, a head of other classes and positions of another
    scheme keep what they were drawn with.

    Raises:
        InteropError: a tensor of the blocks is missing or has another shape.
    """
    given, taken = source.state_dict(), target.state_dict()
    copied: list[str] = []
    resampled: list[str] = []
    kept: list[str] = []
    wrong: list[str] = []
    for name, place in taken.items():
        value = given.get(name)
        if name == "positional.embedding.weight" and value is not None and _moved(source.config, target.config):
            value = _resampled(value, source.config, target.config)
            resampled.append(name)
        elif name.startswith("patch_embedding.") and source.config.patch_shape != target.config.patch_shape:
            kept.append(name)
            continue
        elif value is not None and value.shape == place.shape:
            copied.append(name)
        else:
            found = "missing" if value is None else str(tuple(value.shape))
            (kept if name.startswith(ENDS) else wrong).append(f"{name} {found}, needed {tuple(place.shape)}")
            continue
        place.copy_(value)
    if wrong:
        more = f" and {len(wrong) - 2} more" if len(wrong) > 2 else ""
        raise InteropError(f"the blocks of the two models differ: {'; '.join(wrong[:2])}{more}")
    return Transfer(tuple(copied), tuple(resampled), tuple(name.split(" ")[0] for name in kept))


def _moved(source: ViTConfig, target: ViTConfig) -> bool:
    same = source.grid_size == target.grid_size and source.num_prefix_tokens == target.num_prefix_tokens
    return source.embed_dim == target.embed_dim and not same


def _resampled(table: Tensor, source: ViTConfig, target: ViTConfig) -> Tensor:
    """Positions ``(num_tokens, d)`` for another grid; prefix tokens keep theirs, new ones get none."""
    prefix, patches = table[: source.num_prefix_tokens], table[source.num_prefix_tokens :]
    grid = rearrange(patches, "(gh gw) d -> 1 d gh gw", gh=source.grid_size[0]).float()
    grid = F.interpolate(grid, size=target.grid_size, mode="bicubic", antialias=True, align_corners=False)
    ahead = table.new_zeros(target.num_prefix_tokens, table.shape[1])
    shared = min(target.num_prefix_tokens, source.num_prefix_tokens)
    ahead[:shared] = prefix[:shared]
    return torch.cat([ahead, rearrange(grid, "1 d gh gw -> (gh gw) d").to(table.dtype)])
