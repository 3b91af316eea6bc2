"""What a worker is told to train, and how trials are protected while it does."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from bench.machine import capabilities, cpu_name, gpu_name
from studies.training.compute import Compute
from studies.training.signs import Sign, sweep
from studies.training.upkeep import EVERY_SECONDS, Upkeep
from studies.trial.provenance import arithmetic, versions
from studies.trial.setup import Setup


@dataclass(frozen=True)
class Order:
    """What to train from which seed; the trained weights are kept where ``weights`` says.

    One that is not ``wanted`` belongs to the pack, whose bits depend on all its members, but its result is known.
    """

    setup: Setup
    seed: int
    weights: Path | None = None
    wanted: bool = True

    @property
    def trial(self) -> str:
        """Its hash."""
        return self.setup.trial_hash(self.seed)


@dataclass(frozen=True)
class Care:
    """How long a trial may take, and where its state is kept until it is over.

    Args:
        checkpoints: a folder; None for no checkpoints.
        every: seconds between them.
        limit: seconds that a trial, or a pack, may take from one start; infinite without one.
        arithmetic: in which to compute; None: by the rule for this machine.
        signs: a folder where trials that run say how far they are; None for none.
    """

    checkpoints: Path | None = None
    every: float = EVERY_SECONDS
    limit: float = math.inf
    arithmetic: Compute | None = None
    signs: Path | None = None

    def path(self, trials: Iterable[str]) -> Path | None:
        """The checkpoint of trials, by their hashes in order, that train together."""
        name = hashlib.sha256(" ".join(trials).encode()).hexdigest()[:16]
        return None if self.checkpoints is None else self.checkpoints / f"{name}.safetensors"

    def upkeep(self, orders: Sequence[Order], compute: Compute, device: str) -> Upkeep:
        """Of one training."""
        trials = [order.trial for order in orders]
        sign = Sign(trials, device, self.signs)
        return Upkeep(self.path(trials), bits_of(trials, compute, device), self.every, self.limit, sign)

    def forget(self, trials: Iterable[str]) -> None:
        """Their results are safe."""
        if path := self.path(trials):
            with suppress(OSError):  # a checkpoint that stays harms nobody
                path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Nothing runs any more: remove what writes left that were killed."""
        if self.signs is not None:
            sweep(self.signs)
        if self.checkpoints is not None and self.checkpoints.exists():
            for left in self.checkpoints.glob(".tmp-*"):
                left.unlink(missing_ok=True)
            with suppress(OSError):  # more time may be given to a trial: its checkpoint stays
                self.checkpoints.rmdir()


NO_CARE = Care()


def bits_of(trials: Sequence[str], compute: Compute, device: str) -> dict[str, Any]:
    """All that the bits of a training depend on: a state goes on only where this is the same."""
    processor = gpu_name(device) if device.startswith("cuda") else [cpu_name(), *capabilities()]
    where = {"device": device, "processor": processor, "threads": torch.get_num_threads()}
    return {"trials": list(trials), **asdict(compute), **where, **versions(), "source": arithmetic()}
