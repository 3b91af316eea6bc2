"""How a number, an interval and a verdict are said in words; the same words wherever results are told."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

Row = pd.Series  # one row of contrasts.csv


def percent(share: float, digits: int = 2) -> str:
    """``0.98123 -> "98.12 %"``."""
    return f"{100 * share:.{digits}f} %"


def signed(difference: float) -> str:
    """A difference of fractions in points: ``-0.0031 -> "−0.31"``, with a real minus sign."""
    text = f"{100 * difference:+.2f}"
    return ("0.00" if float(text) == 0 else text).replace("-", "−")


def p_value(p: float) -> str:
    """``p = 0.031``, or a bound below 0.001."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def probability(share: float) -> str:
    """Two digits; resampling never makes anything certain."""
    return "> 0.99" if share > 0.995 else "< 0.01" if share < 0.005 else f"{share:.2f}"


def plural(count: float, word: str) -> str:
    """``1 seed``, ``12 seeds``."""
    return f"{count:,.0f} {word}{'' if count == 1 else 's'}"


def evidence(row: Row[Any], difference: bool = True, n: bool = True) -> str:
    """Difference in points, its interval and n, as far as they exist and are asked for."""
    parts = [f"{signed(row['difference'])} points"] if difference else []
    if pd.notna(row["low"]):
        parts.append(f"95 % interval {signed(row['low'])} to {signed(row['high'])}")
    return ", ".join([*parts, f"n = {row['n']:.0f}"] if n else parts)


def verdict(row: Row[Any], against: str) -> str:
    """What a contrast says of its arm a: completes "`a` is ..."."""
    if row["n"] == 0 or pd.isna(row["difference"]):
        return f"not comparable with {against}: no seed is complete in both"
    said = {
        "better": _settled,
        "worse": _settled,
        "equivalent": _equivalent,
        "no detectable difference": _undetected,
        "underpowered": _underpowered,
    }[row["verdict"]]
    return said(row, against)


def _settled(row: Row[Any], against: str) -> str:
    size = f"{100 * abs(row['difference']):.2f} points"
    return (
        f"{row['verdict']} than {against} by {size} ({evidence(row, False)}, {p_value(row['p_holm'])} after Holm's "
        f"correction for {plural(row['family_size'], 'comparison')})"
    )


def _equivalent(row: Row[Any], against: str) -> str:
    return f"equivalent to {against} within ±{100 * row['margin']:.1f} points ({evidence(row)})"


def _undetected(row: Row[Any], against: str) -> str:
    missed = ""
    if pd.notna(row["detectable"]) and not math.isinf(row["detectable"]):
        missed = f"; a true difference of {100 * row['detectable']:.2f} points would have shown with 80 % probability"
    return f"not detectably different from {against} ({evidence(row)}{missed}); {settling(row)}"


def _underpowered(row: Row[Any], against: str) -> str:
    family = f" in a family of {row['family_size']:.0f} comparisons" if row["family_size"] > 1 else ""
    return (
        f"{signed(row['difference'])} points from {against} ({evidence(row, False)}), but underpowered: no outcome of "
        f"{plural(row['n'], 'pair')} could have passed the test{family}, so no winner is declared; {settling(row)}"
    )


def settling(row: Row[Any]) -> str:
    """How many seeds would settle a contrast."""
    needed = row["seeds_needed"]
    if pd.isna(needed):
        return "one seed cannot tell how many would settle it"
    if math.isinf(needed):
        return "no affordable number of seeds would settle a difference as small as this"
    return f"about {plural(needed, 'seed')} would settle it, were this difference and its spread the truth"
