"""Separate random streams from one seed, the same for every arm.

One seed must vary initialisation, order, augmentation, drop path and dropout together, yet a change in one arm (one
more dropout layer, say) must not shift what the others draw (Bouthillier et al., arXiv 2103.03098).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from studies.training.initial import start_from
from studies.training.recipe import Recipe
from vit import ViT, ViTConfig


def derive(seed: int, *names: str) -> int:
    """A 63-bit seed that depends on every argument and nothing else."""
    text = "/".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, name: str, device: str = "cpu") -> torch.Generator:
    """The generator of one purpose, for example ``stream(3, "order")``."""
    return torch.Generator(device).manual_seed(derive(seed, name))


def initialised(config: ViTConfig, seed: int, init: str = "") -> ViT:
    """A model whose every module draws from a stream of its own name.

    So arms share their initial weights wherever they share a module of one shape: paired seeds differ by
    the design choice alone. torch's global random state is left as it was. With ``init``, weights that
    ``studies/training/initial.py`` keeps, only what these do not have is drawn.

    Raises:
        WeightsError, InteropError: weights to start from that are not there, or do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        model = ViT(config)
        for name, module in model.drawing_modules():
            torch.manual_seed(derive(seed, "initialisation", name))
            module.reset_parameters()  # type: ignore[operator]
    if init:
        start_from(init, model)
    return model


def seed_of(recipe: Recipe, seed: int) -> int:
    """What all streams of a training derive from: replicas of an arm have a seed of their own."""
    return derive(seed, "replica", str(recipe.replica)) if recipe.replica else seed


class EpochStreams:
    """Order and augmentation of every model of a training, and how they stood when its epoch began."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self.generators = [(stream(seed, "order"), stream(seed, "augmentation")) for seed in seeds]
        self.mark()

    def mark(self) -> None:
        """An epoch begins here."""
        self.marked = [[generator.get_state() for generator in pair] for pair in self.generators]

    def rewind(self) -> None:
        """Back to where the epoch began."""
        for pair, states in zip(self.generators, self.marked, strict=True):
            for generator, state in zip(pair, states, strict=True):
                generator.set_state(state)

    def load(self, marked: list[list[Tensor]]) -> None:
        """Begin an epoch there."""
        self.marked = marked
        self.rewind()


class Dropout(AbstractContextManager[object], Protocol):
    """The randomness inside the models of one training, drawn from while the context is entered."""

    def states(self) -> list[Tensor]:
        """Of all its generators, whether entered or not."""

    def load(self, states: list[Tensor]) -> None:
        """Draw on from there; not while entered."""


class DropoutStream:
    """Dropout draws from torch's global state: the training's own is in its place while the context is entered."""

    def __init__(self, seed: int, device: str) -> None:
        self.seed = derive(seed, "dropout")
        self.places = _global_states(device)
        self.own: list[Tensor] | None = None
        self.others: list[Tensor] | None = None

    def __enter__(self) -> None:
        self.others = self._read()
        if self.own is None:
            torch.manual_seed(self.seed)
        else:
            self._write(self.own)

    def __exit__(self, *_: object) -> None:
        assert self.others is not None
        self.own = self._read()
        self._write(self.others)
        self.others = None

    def states(self) -> list[Tensor]:
        """As they are now."""
        if self.others is not None:
            return self._read()
        if self.own is None:
            with self:
                pass
        assert self.own is not None
        return self.own

    def load(self, states: list[Tensor]) -> None:
        """For the next time that it is entered."""
        self.own = states

    def _read(self) -> list[Tensor]:
        return [read() for read, _ in self.places]

    def _write(self, states: list[Tensor]) -> None:
        for (_, write), state in zip(self.places, states, strict=True):
            write(state)


def _global_states(device: str) -> list[tuple[Callable[[], Tensor], Callable[[Tensor], Any]]]:
    """How to read and to write torch's global generators that a training on this device draws from."""
    places: list[tuple[Callable[[], Tensor], Callable[[Tensor], Any]]] = [(torch.get_rng_state, torch.set_rng_state)]
    if device.startswith("cuda"):
        places.append((partial(torch.cuda.get_rng_state, device), partial(torch.cuda.set_rng_state, device=device)))
    if device == "mps":
        places.append((torch.mps.get_rng_state, torch.mps.set_rng_state))
    return places
