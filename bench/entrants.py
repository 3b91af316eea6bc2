"""Who takes part in a comparison of libraries, and in which arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from bench.timing import Task

OURS, LOADING, NOTEBOOK = "ours", "ours, loading", "notebook"


@dataclass(frozen=True)
class Entrant:
    """Who computes, in which number format, and whether through ``torch.compile``."""

    library: str
    dtype: str = "float32"
    compiled: bool = False

    @property
    def arithmetic(self) -> str:
        """For example ``bfloat16, compiled``."""
        return self.dtype + (", compiled" if self.compiled else "")

    @property
    def like_ours(self) -> Entrant:
        """Ours in the same arithmetic."""
        return Entrant(OURS, self.dtype, self.compiled)

    def __str__(self) -> str:
        return f"{self.library} in {self.arithmetic}"


def logits_off(logits: Tensor, precise: Tensor) -> float:
    """The largest difference from float32's logits of the same weights, in standard deviations of those."""
    return float((logits.float() - precise).abs().max() / precise.std())


def first_calls(tasks: Mapping[Entrant, Task]) -> tuple[dict[Entrant, float], dict[Entrant, Tensor]]:
    """The seconds that compiling took, and what every task returned."""
    seconds, outputs = {}, {}
    for entrant, run in tasks.items():
        start = perf_counter()
        outputs[entrant] = torch.as_tensor(run()).detach()
        if entrant.compiled:
            seconds[entrant] = perf_counter() - start
    return seconds, outputs
