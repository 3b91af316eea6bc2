"""One colour for every level of the first factor, one shape for every level of the second."""

from __future__ import annotations

from typing import Any

import pandas as pd

from studies.report.declared import Declared


class LevelMarks:
    """Colour and shape of an arm by its levels."""

    def __init__(self, plan: Declared) -> None:
        self.factors = list(plan.factors.items())

    def colour(self, cell: pd.Series[Any]) -> int:
        """For `colours.level_colour` and `colours.level_class`."""
        return self._index(0, cell)

    def shape(self, cell: pd.Series[Any]) -> int:
        """For `svg.marker` and `figures.MARKERS`."""
        return self._index(1, cell)

    def data(self, cell: pd.Series[Any]) -> dict[str, str]:
        """Attributes by which a page filters: the arm, and its level of every factor by number."""
        levels = {f"data_f{i}": str(cell[name]) for i, (name, _) in enumerate(self.factors)}
        return {"data_arm": str(cell["cell"]), **levels}

    def key(self, shapes: bool) -> list[tuple[str, list[tuple[str, int | None, int | None]]]]:
        """Of every factor, every level with colour and shape; None where a chart does not tell it apart."""
        return [
            (name, [(str(level), i if at == 0 else None, i if shapes and at == 1 else None) for i, level in found])
            for at, (name, found) in enumerate((name, list(enumerate(levels))) for name, levels in self.factors)
        ]

    def legend(self, shapes: bool = False) -> list[tuple[str, int | None, int]]:
        """(words, colour, shape) of every level that a chart tells apart."""
        found: list[tuple[str, int | None, int]] = [(f"{name}: {level}", i, 0) for name, i, level in self._levels(0)]
        if shapes and len(self.factors) > 1:
            found += [(f"{name}: {level}", None, i) for name, i, level in self._levels(1)]
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
