"""From the tidy table of runs to values by seed and arm."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def require_columns(runs: pd.DataFrame, *columns: str) -> None:
    """Refuse a table that lacks a column.

    Raises:
        ValueError: names what is missing and what is there.
    """
    missing = [name for name in columns if name not in runs]
    if missing:
        raise ValueError(f"runs has no column {', '.join(missing)}; it has: {', '.join(map(str, runs))}")


def completed(
    runs: pd.DataFrame, metric: str, index: Sequence[str], unit: str = "seed"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Values of a metric and what was attempted, each with one row per unit, one column per combination.

    Args:
        runs: one row per trial.
        metric: a column of runs.
        index: the columns of runs whose combinations become columns.
        unit: the column of runs that becomes rows, for example the seed.

    Returns:
        floats, NaN where the trial failed or never ran; and booleans, True where it ran or failed.

    Raises:
        ValueError: a column is missing, or two completed rows share one unit and combination.
    """
    require_columns(runs, metric, unit, *index)
    table = _labelled(runs.reset_index(drop=True), metric, index, unit)
    once = _once(table, [*index, unit])
    return _wide(once, table, index, unit)


def _labelled(runs: pd.DataFrame, metric: str, index: Sequence[str], unit: str) -> pd.DataFrame:
    """Values of completed rows, NaN for others, under labels that can be compared, and the number of their arm."""
    values = pd.to_numeric(runs[metric], errors="coerce")
    if "status" in runs:
        values = values.where(runs["status"] == "complete")
    names = [*index, unit]
    # a setting that does not apply to an arm (the strips of tiles) is a level like any other
    labels = runs[names].astype(object).where(runs[names].notna(), "-")
    return labels.assign(value=values, attempted=1.0, arm=labels.groupby(list(index), sort=False).ngroup())


def _once(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """One row per unit and arm: the completed one, if any is.

    Raises:
        ValueError: two are completed.
    """
    ordered = table.sort_values("value", kind="stable")  # NaN last
    alone = ["arm", names[-1]]  # which numbers compare faster than names
    twice = ordered[ordered.duplicated(alone) & ordered["value"].notna()].sort_index()
    if len(twice):
        first = ", ".join(f"{name}={twice.iloc[0][name]}" for name in names)
        raise ValueError(
            f"{len(twice)} completed rows are duplicates, the first at {first}; keep one of each, and name every factor"
        )
    return ordered.drop_duplicates(alone)


def _wide(
    once: pd.DataFrame, table: pd.DataFrame, index: Sequence[str], unit: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Units by arms: values, and whether there was an attempt."""
    combinations = pd.MultiIndex.from_frame(table[list(index)].drop_duplicates())
    wide, attempted = (
        once.pivot(index=unit, columns="arm", values=value).set_axis(combinations, axis=1)
        for value in ("value", "attempted")
    )
    return wide.astype(float), attempted.notna()
