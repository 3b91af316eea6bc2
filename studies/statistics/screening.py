"""From anybody's table of runs to runs that count; whatever does not count is counted, never dropped in silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

DONE = frozenset({"complete", "completed", "done", "finished", "ok", "succeeded", "success"})
NOT_DONE = frozenset(
    {"crashed", "error", "fail", "failed", "interrupted", "killed", "preempted", "pruned", "running", "waiting"}
)
STATUS = ("status", "state")
LEVEL_OF_NONE = "-"
"""A setting that does not apply to an arm is a level like any other."""


class RunsError(ValueError):
    """A table of runs that cannot be judged as asked; the message names what is there and the fix."""


@dataclass(frozen=True)
class Wanted:
    """Which columns of a table say what.

    Args:
        arm: names what is compared; None where the factors' levels together do.
        metric: what is measured.
        seed: pairs runs; None where no column does.
        dataset: each of its values is judged by itself; None for one data set.
        factors: their levels make up an arm.
    """

    arm: str | None
    metric: str
    seed: str | None = None
    dataset: str | None = None
    factors: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """All that are named."""
        return [name for name in (self.arm, self.metric, self.seed, self.dataset, *self.factors) if name is not None]


@dataclass(frozen=True)
class Screened:
    """Runs that count, with columns ``arm, seed, dataset, value`` and the factors; and what was left out, in words."""

    runs: pd.DataFrame
    notes: tuple[str, ...]


def screened(frame: pd.DataFrame, wanted: Wanted) -> Screened:
    """The runs that count: finished, with a number, one of each arm and seed.

    Raises:
        RunsError: a column that is missing or there twice, a metric without a number, or two runs of one arm and
            seed that differ.
    """
    _require(frame, wanted)
    frame = frame.reset_index(drop=True)  # tables glued together name rows twice
    values, text = numbers(frame[wanted.metric])
    labels = {"arm": wanted.arm, "seed": wanted.seed, "dataset": wanted.dataset}
    given = {role: named(frame[column]) for role, column in labels.items() if column is not None}
    counts = _left_out(frame, wanted, given, values, text)
    kept = pd.Series(True, index=frame.index)
    notes = []
    for reason, rows in counts.items():
        if number := int((kept & rows).sum()):
            notes.append(f"left out: {number:,} {'run' if number == 1 else 'runs'} {reason}")
        kept &= ~rows
    if not kept.any():
        why = f": {'; '.join(notes)}" if notes else ""
        raise RunsError(f"no run of {len(frame):,} has a number in {wanted.metric!r} that counts{why}")
    runs = pd.DataFrame({"value": values, **given, **_levels(frame, wanted)})[kept].reset_index(drop=True)
    if wanted.arm is None:
        runs["arm"] = runs[[f"factor {name}" for name in wanted.factors]].agg("/".join, axis=1)
    runs, repeated = _once(runs.assign(**_absent(wanted, runs)), wanted)
    return Screened(runs, (*notes, *repeated))


def numbers(column: pd.Series[Any]) -> tuple[pd.Series[float], pd.Series[bool]]:
    """As floats, NaN where it is none; and where text stands instead of a number."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return column.astype("Float64").astype(object).where(column.notna(), np.nan).astype(
            float
        ), column.isna() & False
    said = column.map(lambda value: "" if _missing(value) else str(value).strip()).astype(object)
    values = pd.to_numeric(said, errors="coerce").astype(float)
    text = values.isna() & ~said.str.casefold().isin(["", "nan", "na", "n/a", "none", "null", "-"])
    return values, text


def named(column: pd.Series[Any]) -> pd.Series[Any]:
    """Labels as text, None where there is none; whole numbers alike, however they were written (``3``, ``3.0``)."""
    said = column.map(lambda value: None if _missing(value) else str(value).strip() or None).astype(object)
    there = said.dropna()
    as_numbers = pd.to_numeric(there, errors="coerce")
    if len(there) and as_numbers.notna().all() and (as_numbers % 1 == 0).all() and (as_numbers.abs() < 2**53).all():
        said = said.mask(said.notna(), as_numbers.astype("int64").astype(str).reindex(said.index))
    return said.where(said.notna(), None)


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value))


def _require(frame: pd.DataFrame, wanted: Wanted) -> None:
    if wanted.arm is None and not wanted.factors:
        raise RunsError("nothing says what is compared: name the column of the arms, or factors")
    for name in wanted.columns:
        if name not in frame:
            raise RunsError(f"no column {name!r}; choices: {', '.join(map(str, frame)) or 'none, the table is empty'}")
        if isinstance(frame[name], pd.DataFrame):
            raise RunsError(f"{name!r} is the name of {frame[name].shape[1]} columns: rename one")
    if not len(frame):
        raise RunsError("the table has columns and no run")


def _left_out(
    frame: pd.DataFrame,
    wanted: Wanted,
    given: dict[str, pd.Series[Any]],
    values: pd.Series[float],
    text: pd.Series[bool],
) -> dict[str, pd.Series[bool]]:
    """Reason -> which rows; a row is counted under the first that holds."""
    reasons: dict[str, pd.Series[bool]] = {}
    status = _status(frame, wanted)
    if status is not None:
        words = frame[status].map(lambda value: "" if _missing(value) else str(value).strip())
        for word in dict.fromkeys(words):
            if word.casefold() not in DONE:
                reasons[f"whose {status} is {word or 'empty'}"] = words == word
    for role, column in given.items():
        if not (role == "seed" and column.isna().all()):
            reasons[f"without {getattr(wanted, role)}"] = column.isna()
    first = frame[wanted.metric][text].head(1).to_list()
    reasons[f"with text in {wanted.metric} ({first[0]!r})" if first else ""] = text
    reasons[f"without a finite number in {wanted.metric}"] = ~pd.Series(np.isfinite(values), index=frame.index)
    return reasons


def _status(frame: pd.DataFrame, wanted: Wanted) -> str | None:
    """The column that says how a run ended: by its name and its words."""
    for name in frame:
        if str(name).casefold() not in STATUS or name in wanted.columns or isinstance(frame[name], pd.DataFrame):
            continue
        if frame[name].map(lambda value: str(value).strip().casefold()).isin(DONE | NOT_DONE).any():
            return str(name)
    return None


def _levels(frame: pd.DataFrame, wanted: Wanted) -> dict[str, pd.Series[Any]]:
    """Factors' levels under names that no other column has."""
    return {f"factor {name}": named(frame[name]).fillna(LEVEL_OF_NONE) for name in wanted.factors}


def _absent(wanted: Wanted, runs: pd.DataFrame) -> dict[str, Any]:
    """Columns for roles that no column of the table plays; runs without seeds are numbered."""
    filled: dict[str, Any] = {} if wanted.dataset is not None else {"dataset": ""}
    if wanted.seed is None or runs["seed"].isna().all():
        filled["seed"] = np.arange(len(runs))
    return filled


def _once(runs: pd.DataFrame, wanted: Wanted) -> tuple[pd.DataFrame, list[str]]:
    """One run of each arm and seed; runs that were merely listed twice are counted."""
    keys = ["dataset", "arm", "seed"]
    unequal = runs.groupby(keys, sort=False)["value"].transform("nunique") > 1
    if unequal.any():
        found = runs[unequal]
        row = found.iloc[0]
        same = (found[keys] == row[keys]).all(axis=1)
        values = ", ".join(f"{value:.6g}" for value in found["value"][same].head(3))
        place = f" of {row['dataset']}" if row["dataset"] else ""
        raise RunsError(
            f"{len(found):,} runs are of one arm and seed and yet differ, the first of {row['arm']!r} with seed "
            f"{row['seed']}{place} ({wanted.metric}: {values}): keep one of each, or name what sets them apart as "
            "a factor or data set"
        )
    twice = runs.duplicated(keys)
    number = int(twice.sum())
    notes = (
        [f"left out: {number:,} {'run' if number == 1 else 'runs'} listed again with the same value"] if number else []
    )
    return runs[~twice].reset_index(drop=True), notes
