"""The interval of a forecast of seeds, which is wide: seeds go with the inverse square of a difference."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from studies.findings.words import missing
from studies.statistics.power import seeds_range


def between(rows: Iterable[Any]) -> str:
    """How many seeds it would be at the ends of the intervals of what is unsettled; empty where they are unknown."""
    ends = [found for row in rows if (found := _range_of(row)) is not None]
    if not ends:
        return ""
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    most = "any number" if math.isinf(high) else f"{high:,.0f}"
    return f" ({low:,.0f} to {most}, were it another of the interval)"


def _range_of(row: Any) -> tuple[float, float] | None:
    facts = [row.get(name) for name in ("low", "high", "error", "df", "n", "margin", "alpha", "family_size")]
    if any(missing(fact) for fact in facts):
        return None
    low, high, error, df, n, margin, alpha, family = map(float, facts)
    share = row.get("share")
    level = alpha * (1.0 if missing(share) else float(share) or 1.0) / family
    return seeds_range(low, high, error, df, int(n), margin, level)
