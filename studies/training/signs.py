"""How far a training is, told while it runs to whoever watches; it decides nothing.

A process leaves it in a small file that its driver reads, and in ``HERE`` for threads of its own. Whoever beats for
an attempt writes both into the storage.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studies.training.session import Session

EVERY_SECONDS = 2.0
HERE: dict[str, dict[str, Any]] = {}
"""Of what trains in this process, by trial."""


@dataclass
class Sign:
    """Of one training, alone or a pack; by default it tells nobody.

    Args:
        trials: their hashes.
        device: where it trains.
        folder: where the file lies; None for no file.
    """

    trials: Sequence[str] = ()
    device: str = "cpu"
    folder: Path | None = None
    last: float = -math.inf
    first: tuple[float, int] | None = None
    """When this process took its first step of the training, and which that was."""

    def after_step(self, session: Session, now: float) -> None:
        """Tell, where that is due; what cannot be written is told by the next one."""
        if not self.trials or now - self.last < EVERY_SECONDS:
            return
        self.last = now
        self.first = self.first or (now, session.taken)
        epochs, steps = session.recipe.epochs, session.curves.steps
        done = {"step": session.taken, "steps": epochs * steps, "epoch": session.curves.epoch, "epochs": epochs}
        told: dict[str, Any] = {**done, "left": self._left(now, session.taken, epochs * steps)}
        at = time.time()
        told |= {"pid": os.getpid(), "device": told_device(self.device), "at": at, "began": at - (now - self.first[0])}
        HERE.update(dict.fromkeys(self.trials, told))
        if self.folder is not None:
            with suppress(OSError):
                self._write(self.folder, {"trials": list(self.trials), **told})

    def over(self) -> None:
        """The training is."""
        for trial in self.trials:
            HERE.pop(trial, None)
        if self.folder is not None and self.trials:
            with suppress(OSError):
                self._file(self.folder).unlink(missing_ok=True)

    def _left(self, now: float, taken: int, steps: int) -> float | None:
        """Seconds, from the steps that this process took."""
        began, first = self.first or (now, taken)
        return (steps - taken) * (now - began) / (taken - first) if taken > first else None

    def _write(self, folder: Path, told: dict[str, Any]) -> None:
        """Whole or not at all; a power cut may take it. Results that were removed are not made anew."""
        folder.mkdir(exist_ok=True)
        part = folder / f".tmp-{os.getpid()}"
        part.write_text(json.dumps(told))
        part.replace(self._file(folder))

    def _file(self, folder: Path) -> Path:
        return folder / f"{self.trials[0]}.json"


def signs_in(folder: Path) -> dict[str, dict[str, Any]]:
    """What lies in a folder, by trial; a file that was just removed or is damaged tells nothing."""
    found: dict[str, dict[str, Any]] = {}
    for file in folder.glob("*.json"):
        with suppress(OSError, ValueError, LookupError, TypeError):
            told = json.loads(file.read_text())
            found |= dict.fromkeys(told.pop("trials"), told)
    return found


def sweep(folder: Path) -> None:
    """Nothing trains any more: remove the folder and what killed processes left in it."""
    with suppress(OSError):
        for file in (*folder.glob("*.json"), *folder.glob(".tmp-*")):
            file.unlink(missing_ok=True)
        folder.rmdir()


def told_device(device: str) -> str:
    """``"cuda:0" -> "cuda:3"`` where the process sees only the machine's GPU 3."""
    kind, _, number = device.partition(":")
    seen = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    if kind != "cuda":
        return device
    place = int(number or 0)
    return f"cuda:{seen[place] if place < len(seen) else place}"
