"""What `judge` found, as columns of a table and as sentences that anybody understands."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from studies.findings.columns import CONTRASTS, Column, Row
from studies.findings.forecast import between
from studies.findings.words import MISSING, missing, number, plural, span
from studies.statistics.scales import FRACTION, OWN, Scale
from studies.statistics.verdicts import SETTLED

SHOWN = 5  # sentences of a kind; more are counted


@dataclass(frozen=True)
class Voice:
    """How differences of one metric are said, and at which confidence."""

    scale: Scale
    alpha: float

    def size(self, value: float | None) -> str:
        """A difference without its unit: two decimals of a point, else three digits that count."""
        if self.scale.unit or missing(value) or math.isinf(value or 0.0):
            return number(value, 2, self.scale.times)
        return f"{value:.3g}".replace("-", "−")

    def signed(self, value: float | None) -> str:
        """With its sign."""
        text = self.size(value)
        return f"+{text}" if text[0].isdecimal() and text.strip("0.") else text

    def with_unit(self, value: float) -> str:
        """``1.20 points``."""
        return f"{self.size(value)} {self.scale.unit}".rstrip()

    @property
    def confidence(self) -> str:
        """``95 %``."""
        return f"{100 * (1 - self.alpha):.4g} %"


def columns_of(frame: pd.DataFrame, voice: Voice) -> list[Column]:
    """The columns that a reader wants."""
    lead = [_words(name) for name in ("dataset", "factor", "setting") if name in frame]
    unit = f", {voice.scale.unit}" if voice.scale.unit else ""
    mixed = [_words("paired", lambda value: "yes" if value else "no")] if not frame["paired"].all() else []
    return [
        *lead,
        _words("a"),
        Column("against", lambda row: str(row["b"]), ("b",), numeric=False),
        Column("n", lambda row: _n(row), ("n", "n_a", "n_b")),
        *mixed,
        Column(f"difference{unit}", lambda row: voice.signed(row["difference"]), ("difference",)),
        Column(
            f"{voice.confidence} interval", lambda row: span(row["low"], row["high"], voice.signed), ("low", "high")
        ),
        CONTRASTS["p_holm"],
        # its first key is not the verdict: LaTeX would make a mark of it that speaks of a baseline
        Column("verdict", lambda row: str(row["verdict"]), ("p_holm", "verdict"), numeric=False),
    ]


def sentences(frame: pd.DataFrame, voice: Voice, flip: bool) -> list[str]:
    """What was decided, what does not matter and what is open; arms stand in `backticks`.

    Args:
        frame: of `refereeing.judge`.
        voice: of its metric.
        flip: say "b is better than a" for "a is worse than b"; without a baseline no order means anything.
    """
    said: list[str] = []
    datasets = frame.groupby("dataset", sort=False) if "dataset" in frame else [("", frame)]
    for name, rows in datasets:
        place = f"{name!s}: " if name else ""
        said += [f"{place}{sentence}" for sentence in _sentences(rows, voice, flip)]
    return said


def margin_sentence(metric: str, voice: Voice, margin: float, given: bool) -> str:
    """What counts as no difference that matters, and in which unit it was read."""
    whose = "" if given else ", by default"
    kinds = {"fraction": "fractions", "percent": "percents"}
    if voice.scale is OWN:
        if not margin:
            return f"{metric} is judged in its own unit, and without a --margin nothing is called equivalent."
        return f"A difference in {metric} of less than {voice.size(margin)} (its own unit) is taken not to matter."
    if not margin:
        return f"{metric} holds {kinds[voice.scale.kind]}; with a margin of 0 nothing is called equivalent."
    exact = f" = {margin:g}" if voice.scale is FRACTION else ""
    return (
        f"{metric} holds {kinds[voice.scale.kind]}: less than {voice.scale.times * margin:g} points{exact} is taken "
        f"not to matter{whose}."
    )


def family_sentence(frame: pd.DataFrame, voice: Voice) -> list[str]:
    """Why an interval may leave 0 outside and nothing be decided; nothing where no row looks so."""
    outside = (frame["low"] > 0) | (frame["high"] < 0)
    if not (outside & (frame["verdict"] == "undecided") & (frame["family_size"] > 1)).any():
        return []
    return [
        f"An interval speaks of its own comparison alone, a verdict keeps its {100 * voice.alpha:.4g} % for all "
        "comparisons together: so 0 may lie outside an interval and nothing be decided."
    ]


def _sentences(rows: pd.DataFrame, voice: Voice, flip: bool) -> Iterator[str]:
    records: list[Row] = list(rows.to_dict("records"))
    for word in ("better", "worse"):
        decided = sorted((row for row in records if row["verdict"] == word), key=lambda row: -abs(row["difference"]))
        yield from _some(decided, lambda row: _decided(row, voice, flip), f"are {word}, too; see the table")
    equal = [row for row in records if row["verdict"] == "equivalent"]
    if equal:
        within = voice.with_unit(equal[0]["margin"])
        yield f"{_listed([_against(row) for row in equal])}: no difference that matters (within {within})."
    open_ = sorted((row for row in records if row["verdict"] not in SETTLED), key=lambda row: -abs(_zero(row)))
    yield from _some(open_, lambda row: _open(row, voice), "are not settled, either; see the table")


def _zero(row: Row) -> float:
    return 0.0 if missing(row["difference"]) else float(row["difference"])


def _some(rows: list[Row], say: Callable[[Row], str], more: str) -> Iterator[str]:
    yield from map(say, rows[:SHOWN])  # no others: a forecast takes milliseconds, and there may be thousands
    if len(rows) > SHOWN:
        yield f"{len(rows) - SHOWN:,} more {more}."


def _decided(row: Row, voice: Voice, flip: bool) -> str:
    turned = flip and row["verdict"] == "worse"
    a, b = (row["b"], row["a"]) if turned else (row["a"], row["b"])
    verb = "better" if turned else row["verdict"]
    sign = -1 if row["difference"] < 0 else 1
    low, high = sorted((sign * row["low"], sign * row["high"]))
    size = voice.with_unit(abs(row["difference"]))
    return (
        f"{_named(row, a)} is {verb} than {_code(b)}{_setting(row)} by {size} "
        f"({voice.size(low)} to {voice.size(high)}, n = {_n(row)})."
    )


def _open(row: Row, voice: Voice) -> str:
    if missing(row["difference"]):
        return f"Not settled: {_against(row)}; no seed counts in both."
    change = f"{_against(row)} ({_measured(row, voice)})"
    if missing(row["detectable"]):
        return f"Not settled: {change}; one run tells nothing of luck, so more are needed."
    found = voice.with_unit(row["detectable"])
    return f"Not settled: {change}; a difference of {found} would have shown, and {_cure(row)}."


def _measured(row: Row, voice: Voice) -> str:
    bounds = "" if missing(row["low"]) else f", {voice.signed(row['low'])} to {voice.signed(row['high'])}"
    return f"{voice.signed(row['difference'])}{bounds}, n = {_n(row)}"


def _cure(row: Row) -> str:
    needed = row["seeds_needed"]
    if missing(needed) or math.isinf(needed):
        return "no affordable number of seeds would settle one as small"
    return f"about {plural(needed, 'seed')} would settle it, were this difference the truth{between([row])}"


def _n(row: Row) -> str:
    """Pairs; of unpaired arms the runs of each."""
    if row["paired"] or row["n_a"] == row["n_b"] == row["n"]:
        return f"{row['n']:,}"
    return f"{row['n_a']:,} and {row['n_b']:,}"


def _against(row: Row) -> str:
    return f"{_named(row, row['a'])} against {_code(row['b'])}{_setting(row)}"


def _named(row: Row, arm: Any) -> str:
    return f"{row['factor']} {_code(arm)}" if row.get("factor") else _code(arm)


def _setting(row: Row) -> str:
    return f" with {row['setting']}" if row.get("setting") else ""


def _code(name: Any) -> str:
    return f"`{' '.join(str(name).split()).replace('`', chr(39))}`"


def _listed(items: list[str]) -> str:
    more = [f"{len(items) - SHOWN:,} more"] if len(items) > SHOWN else []
    return ", ".join([*items[:SHOWN], *more])


def _words(name: str, say: Callable[[Any], str] = str) -> Column:
    return Column(name, lambda row: MISSING if missing(row[name]) else say(row[name]), (name,), numeric=False)
