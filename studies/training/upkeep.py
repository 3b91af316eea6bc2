"""What is done between the steps of a training: checkpoints every so many seconds, a look at its time limit, a sign."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studies.training.checkpoint import CheckpointError, load_state, save_state
from studies.training.session import Session
from studies.training.signs import Sign

EVERY_SECONDS = 60.0
SHARE = 0.02
"""Of the time of a training, at most for its checkpoints: where one takes longer than usual, the next waits longer."""


class TimedOutError(RuntimeError):
    """A training takes longer than it may."""


@dataclass
class Upkeep:
    """Keeps one training, alone or a pack; by default it does nothing.

    Args:
        path: of its checkpoint; None for no checkpoint.
        about: all that its bits depend on, plain JSON: a checkpoint about anything else is not used.
        every: seconds between checkpoints; a training that is shorter writes none.
        limit: seconds that it may take from ``begin`` on, pauses of its process left out.
        sign: tells how far it is.
    """

    path: Path | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    every: float = EVERY_SECONDS
    limit: float = math.inf
    sign: Sign = field(default_factory=Sign)
    resumed: int = 0
    """How often it went on from a checkpoint."""
    earlier: float = 0.0
    """Wall seconds that it had taken until the checkpoint it went on from."""
    paused: float = 0.0
    """Seconds in which its process stood still."""
    notes: list[str] = field(default_factory=list)
    """What a reader of its record should know."""

    def begin(self, session: Session) -> None:
        """Go on from the checkpoint, if there is one that fits."""
        self._began = self._last = time.monotonic()
        self._wait = self.every
        if self.path is None:
            return
        try:
            found = load_state(self.path, self.about)
            session.load_state_dict(found["session"])
        except FileNotFoundError:
            return
        except CheckpointError as error:
            self.notes.append(f"began anew: its checkpoint is {error}")
            return
        self.resumed, self.earlier, self.paused = found["resumed"] + 1, found["wall_seconds"], found["paused"]

    def after_step(self, session: Session) -> None:
        """Write a checkpoint where one is due.

        Raises:
            TimedOutError: the time is over.
        """
        now = time.monotonic()
        self.sign.after_step(session, now)
        if now - self._began > self.limit and now - self._began - session.clock.pauses.seconds > self.limit:
            steps = session.recipe.epochs * session.curves.steps
            raise TimedOutError(f"not over after {self.limit:g} s, at step {session.taken} of {steps}")
        if self.path is not None and now - self._last >= self._wait:
            self._write(self.path, session)

    def end(self, session: Session) -> None:
        """The training is over."""
        self.paused += session.clock.pauses.seconds

    def told(self) -> dict[str, Any]:
        """For the record of the training."""
        return {"resumed": self.resumed, "paused_seconds": self.paused, "notes": "; ".join(self.notes)}

    def _write(self, path: Path, session: Session) -> None:
        session.total.tolist()  # what the device has still to do is training
        session.clock.stop()
        started = time.monotonic()
        wall = self.earlier + started - self._began
        paused = self.paused + session.clock.pauses.seconds
        state = {"session": session.state_dict(), "resumed": self.resumed, "wall_seconds": wall, "paused": paused}
        try:
            save_state(path, state, self.about)
        except OSError as error:
            reason = f": {error.strerror or error}"
            if not any(note.endswith(reason) for note in self.notes):  # once is enough
                self.notes.append(f"no checkpoint at step {session.taken}{reason}")
        self._last = time.monotonic()
        self._wait = max(self.every, (self._last - started) / SHARE)
        session.clock.start()
