"""One colour for every level of the first factor, one shape for every level of the second."""

from __future__ import annotations

from typing import Any

import pandas as pd

from studies.charts.svg import NUM_COLOURS
from studies.design import Plan


class Looks:
    """Colour and shape of an arm by its levels."""

    def __init__(self, plan: Plan) -> None:
        self.factors = list(plan.factors.items())

    def colour(self, cell: pd.Series[Any]) -> str:
        """A class of the style sheet: ``k0``, ``k1``, ..."""
        return f"k{self._index(0, cell) % NUM_COLOURS}"

    def shape(self, cell: pd.Series[Any]) -> int:
        """For `svg.marker`."""
        return self._index(1, cell)

    def legend(self, shapes: bool = False) -> list[tuple[str, str, int]]:
        """(words, class, shape) of every level that a chart tells apart."""
        found = [(f"{name}: {level}", f"k{i % NUM_COLOURS}", 0) for name, i, level in self._levels(0)]
        if shapes and len(self.factors) > 1:
            found += [(f"{name}: {level}", "faint", i) for name, i, level in self._levels(1)]
        return found

    def _levels(self, position: int) -> list[tuple[str, int, Any]]:
        if len(self.factors) <= position:
            return []
        name, levels = self.factors[position]
        return [(name, i, level) for i, level in enumerate(levels)]

    def _index(self, position: int, cell: pd.Series[Any]) -> int:
        for name, i, level in self._levels(position):
            if str(cell[name]) == str(level):
                return i
        return 0
