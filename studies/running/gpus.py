"""Which of this machine's GPUs a worker sees: all of them are used, one a process.

A process that sees a single GPU calls it ``cuda``, whichever it is, so that trials and checkpoints are the same on
each. What it sees is said before it first asks CUDA for anything; later is too late.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""What CUDA reads: the GPUs that a process sees, by number or by name."""


def visible_gpus() -> list[str]:
    """The names by which the GPUs that this process sees can be given to another."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = os.environ.get(VISIBLE)
    return named.split(",")[:count] if named else [str(number) for number in range(count)]


def one_each(device: str, workers: int, gpus: Sequence[str]) -> list[str | None]:
    """What every worker is to see; None: all that there is.

    Args:
        device: of the plan. ``cuda`` is any GPU; ``cuda:1`` is that one, which all workers share.
        workers: processes; where they are more than GPUs, they take turns.
        gpus: as ``visible_gpus`` names them.
    """
    if device != "cuda" or len(gpus) < 2:
        return [None] * workers
    return [gpus[worker % len(gpus)] for worker in range(workers)]
