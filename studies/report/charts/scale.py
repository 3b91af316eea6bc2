"""From values to pixels: linear, logarithmic, or logarithmic in the error of an accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from matplotlib.ticker import MaxNLocator

Kind = Literal["linear", "log", "error"]
LEAST_ERROR = 1e-4
STEPS = ((1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9))


@dataclass(frozen=True)
class Scale:
    """Maps ``low .. high`` to pixels ``start .. end``; ``kind`` "error" is the logarithm of 1 - value."""

    low: float
    high: float
    start: float
    end: float
    kind: Kind = "linear"

    def __call__(self, value: float) -> float:
        """The pixel of a value, kept within the ends."""
        low, high, at = (self._bend(v) for v in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self, most: int = 7) -> list[float]:
        """Round values between the ends."""
        if self.kind == "linear":
            return self._even(most)
        ends = sorted(abs(self._scaled(v)) for v in (self.low, self.high))
        for steps in STEPS:
            decades = range(math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1])) + 1)
            found = [s * 10.0**k for k in decades for s in steps if ends[0] <= s * 10.0**k <= ends[1]]
            if len(found) >= 4:
                return sorted(1 - v if self.kind == "error" else v for v in _thinned(found, most))
        return self._even(most)

    def _even(self, most: int) -> list[float]:
        found = MaxNLocator(nbins=most - 1, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
        slack = 1e-9 * (self.high - self.low)
        return [float(v) for v in found if self.low - slack <= v <= self.high + slack]

    def _scaled(self, value: float) -> float:
        return max(LEAST_ERROR, 1 - value) if self.kind == "error" else value

    def _bend(self, value: float) -> float:
        if self.kind == "linear":
            return value
        return math.log(self._scaled(value)) * (-1 if self.kind == "error" else 1)


def accuracy_scale(values: Iterable[float], start: float, end: float) -> Scale:
    """For accuracies in [0, 1]: logarithmic in the error where errors differ by more than a factor of three."""
    low, high = _ends(values)
    errors = max(LEAST_ERROR, 1 - high), max(LEAST_ERROR, 1 - low)
    if errors[1] > 3 * errors[0]:
        return Scale(max(0.0, 1 - errors[1] * 1.08), 1 - errors[0] / 1.12, start, end, "error")
    return _padded(low, high, start, end, least=0.002)


def outlying(values: Iterable[float]) -> float:
    """Accuracies below this lie so far from the rest that an axis had better leave them out; 0 where there are none.

    Far out by Tukey's outer fence on the logarithm of the error, and a fifth of all at most.
    """
    known = sorted(v for v in values if v == v)
    if len(known) < 6:
        return 0.0
    errors = [math.log(max(LEAST_ERROR, 1 - v)) for v in known]
    upper, lower = errors[len(errors) // 4], errors[-1 - len(errors) // 4]
    fence = upper + 3 * (upper - lower)
    far = sum(error > fence for error in errors)
    return known[far] if 0 < far <= len(known) // 5 else 0.0


def cost_scale(values: Iterable[float], start: float, end: float) -> Scale:
    """For positive values: logarithmic where they differ by more than a factor of three."""
    low, high = _ends(values)
    if high > 3 * low > 0:
        return Scale(low / 1.15, high * 1.15, start, end, "log")
    return _padded(low, high, start, end, least=0.1 * high)


def difference_scale(values: Iterable[float], start: float, end: float) -> Scale:
    """For differences; 0 is always in view."""
    low, high = _ends([*values, 0.0])
    return _padded(low, high, start, end, least=0.004)


def _padded(low: float, high: float, start: float, end: float, least: float) -> Scale:
    room = max(high - low, least) * 0.05
    middle, half = (low + high) / 2, max(high - low, least) / 2
    return Scale(middle - half - room, middle + half + room, start, end)


def _ends(values: Iterable[float]) -> tuple[float, float]:
    finite = [v for v in values if v == v and math.isfinite(v)]
    return (min(finite), max(finite)) if finite else (0.0, 1.0)


def _thinned(values: list[float], most: int) -> list[float]:
    return values[:: math.ceil(len(values) / most)]
