"""May B take A's place? A limit on what a change may cost in accuracy, for whoever has to say yes or no."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from studies.findings.comparison import Comparison
from studies.findings.forecast import between
from studies.findings.words import plural, signed, span
from studies.statistics.verdicts import Contrast

Outcome = Literal["passed", "failed", "cannot judge"]
LEAST_SEEDS = 2
"""One seed has no spread: nothing can be said of the next."""


@dataclass(frozen=True)
class Checked:
    """One arm before the gate."""

    arm: str
    outcome: Outcome
    why: str


@dataclass(frozen=True)
class Gate:
    """Every arm before the gate, and what that comes to."""

    checked: Sequence[Checked]

    @property
    def outcome(self) -> Outcome:
        """Failed if any arm failed; passed if every arm did."""
        outcomes = {one.outcome for one in self.checked}
        return "failed" if "failed" in outcomes else "cannot judge" if "cannot judge" in outcomes else "passed"

    def those(self, outcome: Outcome) -> list[Checked]:
        """The arms with this outcome."""
        return [one for one in self.checked if one.outcome == outcome]


def gate(found: Comparison, max_drop: float | None) -> Gate:
    """Every arm of A: may B take its place?

    With a limit, an arm passes where it is shown that its drop is smaller (one-sided, at the error rate of the
    comparison; all arms have to pass, so that nothing is corrected: Berger 1982) and fails where it is shown that
    its drop is larger (Holm over the arms). Without a limit it fails where it is worse at all, and passes otherwise.

    Args:
        found: A and B.
        max_drop: in fractions of 1, at least 0; None: no limit.
    """
    judged = [
        _identical(arm) if equal else _within(arm, one, limited, max_drop)
        for arm, equal, one, limited in zip(
            found.arms["arm"], found.arms["equal"], found.judged, found.judged_against(max_drop or 0.0), strict=True
        )
    ]
    return Gate([*judged, *(Checked(arm, "cannot judge", "is missing from B") for arm in found.lost)])


def _identical(arm: str) -> Checked:
    return Checked(arm, "passed", "identical, bit for bit")


def _within(arm: str, one: Contrast, limited: Contrast, max_drop: float | None) -> Checked:
    """``limited`` is the contrast of B, raised by the limit, with A."""
    said = f"{signed(one.difference)} points ({span(one.low, one.high, signed)}, n = {one.n})"
    if one.n < LEAST_SEEDS or math.isnan(one.p):
        return Checked(arm, "cannot judge", f"n too small: {plural(one.n, 'seed')} in both, {LEAST_SEEDS} are needed")
    if max_drop is None:
        return Checked(arm, "failed" if one.verdict == "worse" else "passed", f"{one.verdict}: {said}")
    limit = f"{100 * max_drop:g} points"
    if limited.verdict == "worse":
        return Checked(arm, "failed", f"lost more than {limit}: {said}")
    if limited.difference > 0 and limited.p / 2 <= limited.alpha:
        return Checked(arm, "passed", f"lost less than {limit}: {said}")
    return Checked(arm, "cannot judge", f"n too small to tell whether it lost {limit}: {said}{_needed(limited)}")


def _needed(limited: Contrast) -> str:
    needed = limited.seeds_needed
    if not math.isfinite(needed):
        return ""
    return f"; about {plural(needed, 'seed')} would tell{between([dataclasses.asdict(limited)])}"
