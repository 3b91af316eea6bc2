"""What takes the place of a trial where only the way there and back is measured: it trains nothing."""

from __future__ import annotations

import time
from typing import Any

import torch

from studies.trial.record import Outcome, pack
from studies.trial.setup import Setup
from studies.trial.trial import describe

CORRECT = pack(torch.rand(10_000, generator=torch.Generator().manual_seed(0)) < 0.97)
"""As large as of a real test set."""
LOSSES = dict.fromkeys(("train_loss", "val_loss", "test_loss"), 0.1)


def no_trial(setup: Setup, seed: int, device: str, *_: Any) -> Outcome:
    """A record as a real trial leaves it, at once."""
    accuracy = 0.97 + seed % 100 / 1e4
    curve = [{"epoch": n, "learning_rate": 0.01, **LOSSES, "val_accuracy": accuracy, "seconds": 0.1} for n in (1, 2)]
    scores = {"val_accuracy": accuracy, "test_accuracy": accuracy, "curve": curve, "test_correct": CORRECT}
    return Outcome(describe(setup, seed, device) | LOSSES | scores | {"train_seconds": 0.0, "wall_seconds": 0.0})


def second(*trial: Any) -> Outcome:
    """The same after a second, in which the processor is free for others."""
    time.sleep(1)
    return no_trial(*trial)


def ready() -> None:
    """Asked of a worker that is to have loaded everything."""
