"""What a trial leaves: its record, or the reason why there is none."""

from __future__ import annotations

import base64
import dataclasses
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studies.training.upkeep import TimedOutError
from studies.trial.plugins import at_fault

OUT_OF_MEMORY = "out of memory"
TIMED_OUT = "timed out"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a trial: a record, and if it failed, the reason and the traceback of what was raised, if any."""

    record: dict[str, Any]
    reason: str | None = None
    trace: str | None = None

    @property
    def out_of_memory(self) -> bool:
        """Whether it failed for want of memory, as ``explain`` says it."""
        return self.reason is not None and self.reason.startswith(OUT_OF_MEMORY)

    @property
    def timed_out(self) -> bool:
        """Whether it was not over in time, as ``explain`` says it."""
        return self.reason is not None and self.reason.startswith(TIMED_OUT)


def explain(error: BaseException) -> str:
    """One line for the table."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in text:
        return f"{OUT_OF_MEMORY}: {text}"
    if isinstance(error, TimedOutError):
        return f"{TIMED_OUT}: {text}"
    return at_fault(error) or f"{type(error).__name__}: {text}"


def pack(correct: Tensor) -> str:
    """Booleans ``(n,)`` to short text: which test images were right, kept for every trial."""
    bits = np.packbits(correct.numpy())
    return f"{len(correct)}:{base64.b85encode(zlib.compress(bits.tobytes(), 9)).decode()}"


def unpack(text: str) -> Tensor:
    """The inverse of ``pack``."""
    size, _, packed = text.partition(":")
    bits = np.frombuffer(zlib.decompress(base64.b85decode(packed)), np.uint8)
    return torch.from_numpy(np.unpackbits(bits, count=int(size)).astype(bool))


def curve_of(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The learning curve of a record, empty if it failed before the first epoch."""
    return list(record.get("curve") or [])
