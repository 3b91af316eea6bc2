"""How long speed is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

GPU_SHARE = 0.25
"""Of a CPU's time: a step is a millisecond there."""


@dataclass(frozen=True)
class Effort:
    """How long to measure: ``rounds`` rounds of ``round_seconds`` for training and for inference of a cell."""

    rounds: int
    round_seconds: float

    def seconds(self, num_cells: int) -> float:
        """About how long it takes, warm-up included."""
        return 3 + num_cells * (0.7 + 2 * self.round_seconds * (self.rounds + 2))

    def on(self, device: str) -> Effort:
        """As long as this device needs."""
        return self if device == "cpu" else replace(self, round_seconds=GPU_SHARE * self.round_seconds)


FULL = Effort(rounds=5, round_seconds=0.08)
BRIEF = Effort(rounds=5, round_seconds=0.03)
