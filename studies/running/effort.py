"""How long speed is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How long to measure: ``rounds`` rounds of ``round_seconds`` for training and for inference of a cell."""

    rounds: int
    round_seconds: float

    def seconds(self, num_cells: int) -> float:
        """About how long it takes, warm-up included."""
        return 3 + num_cells * (0.7 + 2 * self.round_seconds * (self.rounds + 2))


FULL = Effort(rounds=5, round_seconds=0.08)
BRIEF = Effort(rounds=5, round_seconds=0.03)
