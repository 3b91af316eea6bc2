"""Drop path of a training, from a stream of its own, so that it shifts nothing that dropout draws."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from studies.training.streams import stream
from vit.branch import DropPath


class DropPaths(AbstractContextManager[None]):
    """Which examples leave out which branches: drawn before a step, each model's from its own seed.

    While the context is entered the model's blocks read what was drawn, always from the same memory, as a CUDA graph
    wants it; outside they draw for themselves.

    Args:
        model: one model, or as many as there are seeds, stacked.
        batch_size: images of one model.
    """

    def __init__(self, model: nn.Module, seeds: Sequence[int], batch_size: int, device: str) -> None:
        self.places = [module for module in model.modules() if isinstance(module, DropPath)]
        self.generators = [stream(seed, "drop_path") for seed in seeds]
        self.probabilities = torch.tensor([place.probability for place in self.places])[:, None, None]
        self.drawn = torch.empty(len(self.places), len(seeds), batch_size)
        self.kept = torch.ones(len(self.places), len(seeds) * batch_size, device=device)

    def __enter__(self) -> None:
        for place, kept in zip(self.places, self.kept, strict=True):
            place.kept = kept

    def __exit__(self, *_: object) -> None:
        for place in self.places:
            place.kept = None

    def draw(self) -> None:
        """For the next step."""
        if self.places:
            for i, generator in enumerate(self.generators):
                self.drawn[:, i].uniform_(generator=generator)
            factors = (self.drawn >= self.probabilities) / (1 - self.probabilities)
            self.kept.copy_(factors.flatten(1))

    def states(self) -> list[Tensor]:
        """Of the generators, one a model."""
        return [generator.get_state() for generator in self.generators]

    def load(self, states: Sequence[Tensor]) -> None:
        """Draw on from there."""
        for generator, state in zip(self.generators, states, strict=True):
            generator.set_state(state)
