"""How a number, an interval and a verdict are said in words; the same words wherever results are told."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from studies.design.levels import BASELINE

if TYPE_CHECKING:
    import pandas as pd

    Row = pd.Series[Any]  # one row of contrasts.csv

MISSING = "–"


def missing(value: Any) -> bool:
    """None, not a number, or pandas' NA; without loading pandas."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


def percent(share: float | None, digits: int = 2) -> str:
    """``0.98123 -> "98.12 %"``."""
    return MISSING if missing(share) else f"{hundredths(share, digits)} %"


def hundredths(share: float | None, digits: int = 2) -> str:
    """``0.98123 -> "98.12"``, under a heading or beside a word that says percent."""
    return number(share, digits, 100)


def signed(difference: float | None, digits: int = 2) -> str:
    """A difference of fractions in points: ``-0.0031 -> "−0.31"``."""
    text = hundredths(difference, digits)
    return f"+{text}" if text[0].isdecimal() and text.strip("0.") else text


def number(value: Any, digits: int = 2, times: float = 1.0) -> str:
    """``value * times`` with thousands separated and a real minus sign; zero has none, a missing value is a dash."""
    if missing(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{times * value:,.{digits}f}"
    return text.replace("-", "−" if text.strip("-0.") else "")


def count(value: Any) -> str:
    """``28202 -> "28,202"``."""
    return number(value, 0)


def span(low: float | None, high: float | None, say: Callable[[float | None], str] = hundredths) -> str:
    """Two bounds, fractions said in percent unless ``say`` says otherwise; a dash without them."""
    return MISSING if missing(low) else f"{say(low)} to {say(high)}"


def spread(median: float | None, iqr: float | None) -> str:
    """Median and interquartile range: ``17,723 ± 410``."""
    return MISSING if missing(median) else f"{count(median)} ± {count(iqr)}"


def duration(seconds: float) -> str:
    """``75 -> "1 min 15 s"``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def p_number(p: float | None) -> str:
    """``0.031``, or a bound below 0.001."""
    if p is None or missing(p):
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def p_value(p: float) -> str:
    """``p = 0.031``, or a bound below 0.001."""
    said = p_number(p)
    return f"p {said}" if said.startswith("<") else f"p = {said}"


def probability(share: float) -> str:
    """Two digits; resampling never makes anything certain."""
    return "> 0.99" if share > 0.995 else "< 0.01" if share < 0.005 else f"{share:.2f}"


def the_baseline(name: str) -> str:
    """In a sentence, with its name where that says more."""
    return "the baseline" if name == BASELINE else f"the baseline `{name}`"


def plural(count: float, word: str) -> str:
    """``1 seed``, ``12 seeds``."""
    return f"{count:,.0f} {word}{'' if count == 1 else 's'}"


def evidence(row: Row, difference: bool = True, n: bool = True) -> str:
    """Difference in points, its interval and n, as far as they exist and are asked for."""
    parts = [f"{signed(row['difference'])} points"] if difference else []
    if not missing(row["low"]):
        parts.append(f"95 % interval {signed(row['low'])} to {signed(row['high'])}")
    return ", ".join([*parts, f"n = {row['n']:.0f}"] if n else parts)


def verdict(row: Row, against: str) -> str:
    """What a contrast says of its arm a: completes "`a` is ..."."""
    if row["n"] == 0 or missing(row["difference"]):
        return f"not comparable with {against}: no seed is complete in both"
    said = {"better": _settled, "worse": _settled, "equivalent": _equivalent, "undecided": _undecided}
    return said[row["verdict"]](row, against)


def _settled(row: Row, against: str) -> str:
    size = f"{100 * abs(row['difference']):.2f} points"
    family = "" if row["family_size"] == 1 else f" after correction for {plural(row['family_size'], 'comparison')}"
    return f"{row['verdict']} than {against} by {size} ({evidence(row, False)}, {p_value(row['p_holm'])}{family})"


def _equivalent(row: Row, against: str) -> str:
    return f"equivalent to {against} within ±{100 * row['margin']:.1f} points ({evidence(row)})"


def _undecided(row: Row, against: str) -> str:
    missed = ""
    if not missing(row["detectable"]) and not math.isinf(row["detectable"]):
        missed = f"{enough(row['detectable'])} would have been found with 80 % probability; "
    return f"undecided against {against} ({evidence(row)}): {missed}{settling(row)}"


def enough(detectable: float) -> str:
    """``a difference of 0.54 points``; accuracies do not differ by 100."""
    return "no difference" if detectable >= 1 else f"a difference of {100 * detectable:.2f} points"


def settling(row: Row) -> str:
    """How many seeds would settle a contrast."""
    needed = row["seeds_needed"]
    if missing(needed):
        return "one seed cannot tell how many would settle it"
    if math.isinf(needed):
        return "no affordable number of seeds would settle a difference as small as this"
    from studies.findings.forecast import between  # loads scipy

    truth = "were this difference and its spread the truth"
    return f"about {plural(needed, 'seed')} would settle it, {truth}{between([row])}"
