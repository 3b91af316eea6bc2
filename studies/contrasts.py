"""Tables of contrasts from the tidy table of runs: one row per comparison, ready for ``contrasts.csv``.

``runs`` has one row per trial: ``cell``, the factors, ``seed``, ``status`` and the metrics. A trial whose
status is not ``complete`` counts as attempted, without a value. One seed is one unit.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from studies.statistics import ALPHA, MARGIN, Contrast, contrast, holm

COLUMNS = [
    "family",
    "factor",
    "a",
    "b",
    "n",
    "dropped",
    "difference",
    "low",
    "high",
    "d_z",
    "p_superiority",
    "p",
    "p_holm",
    "smallest_p",
    "detectable",
    "seeds_needed",
    "verdict",
    "metric",
    "sd",
    "p_equivalence",
    "p_equivalence_holm",
    "smallest_p_holm",
    "margin",
    "alpha",
    "family_size",
    "higher_is_better",
]
COST_MARGIN = 0.02


@dataclasses.dataclass(frozen=True)
class Labelled:
    """A contrast and what it compares."""

    factor: str
    a: Any
    b: Any
    contrast: Contrast


def _require(runs: pd.DataFrame, *columns: str) -> None:
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
    _require(runs, metric, unit, *index)
    runs = runs.reset_index(drop=True)
    values = pd.to_numeric(runs[metric], errors="coerce")
    if "status" in runs:
        values = values.where(runs["status"] == "complete")
    names = [*index, unit]
    # a setting that does not apply to an arm (the strips of tiles) is a level like any other
    labels = runs[names].astype(object).where(runs[names].notna(), "-")
    keys = list(index)
    arm = labels.groupby(keys, sort=False).ngroup()
    table = labels.assign(value=values, attempted=1.0, arm=arm).sort_values("value", kind="stable")  # NaN last
    twice = table[table.duplicated(names) & table["value"].notna()].sort_index()
    if len(twice):
        first = ", ".join(f"{name}={twice.iloc[0][name]}" for name in names)
        raise ValueError(
            f"{len(twice)} completed rows are duplicates, the first at {first}; keep one of each, and name every factor"
        )
    once = table.drop_duplicates(names)
    combinations = pd.MultiIndex.from_frame(labels[keys].drop_duplicates())
    wide, attempted = (
        once.pivot(index=unit, columns="arm", values=value).set_axis(combinations, axis=1)
        for value in ("value", "attempted")
    )
    return wide.astype(float), attempted.notna()


def _rows(found: Sequence[Labelled], family: str, metric: str) -> Iterator[dict[str, Any]]:
    for labels, judged in zip(found, holm([item.contrast for item in found]), strict=True):
        yield {
            "family": family,
            "factor": labels.factor,
            "a": labels.a,
            "b": labels.b,
            "metric": metric,
            **dataclasses.asdict(judged),
        }


def contrasts_against(
    runs: pd.DataFrame,
    baseline_cell: str,
    metric: str = "test_accuracy",
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    higher_is_better: bool = True,
    unit: str = "seed",
    family: str | None = None,
) -> pd.DataFrame:
    """Every cell (a) against the baseline cell (b), one family; ``COLUMNS``, one row per cell.

    Args:
        runs: one row per trial.
        baseline_cell: a value of the column ``cell``.
        metric: a column of runs; margin and differences are in its unit.
        margin: of equivalence.
        alpha: family-wise error rate.
        higher_is_better: False for a loss.
        unit: the column that pairs rows.
        family: its name; by default it names metric and baseline.

    Raises:
        ValueError: no such baseline or column, or duplicate completed rows.
    """
    _require(runs, "cell")
    cells = list(pd.unique(runs["cell"]))
    if baseline_cell not in cells:
        raise ValueError(f"no cell {baseline_cell!r} in runs; choices: {', '.join(map(str, cells))}")
    wide, attempted = (
        table.set_axis(table.columns.get_level_values("cell"), axis=1)
        for table in completed(runs, metric, ["cell"], unit)
    )
    options: dict[str, Any] = {"margin": margin, "alpha": alpha, "higher_is_better": higher_is_better}
    found = []
    for cell in cells:
        if cell != baseline_cell:
            pair = wide.loc[attempted[cell] | attempted[baseline_cell], [cell, baseline_cell]].to_numpy()
            found.append(Labelled("cell", cell, baseline_cell, contrast(pair[:, 0], pair[:, 1], **options)))
    return pd.DataFrame(_rows(found, family or f"{metric} against {baseline_cell}", metric), columns=COLUMNS)


def factor_contrasts(
    runs: pd.DataFrame,
    factors: Sequence[str],
    metric: str = "test_accuracy",
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    higher_is_better: bool = True,
    unit: str = "seed",
    family: str | None = None,
) -> pd.DataFrame:
    """Every pair of levels within a factor, averaged over the other factors; ``COLUMNS``.

    For one seed, level a and level b are averaged over those settings of the other factors that completed
    for both: what one side lacks, the other side loses too. So a seed is one pair (n counts seeds) and
    ``dropped`` counts the trials-against-trials left out. Where trials failed, seeds may thus average over
    different settings; each of them still compares like with like.

    Each factor is a family of its own, unless ``family`` names one for all of them.

    Args:
        runs: one row per trial.
        factors: columns of runs that make up a cell; a factor with one level gives no row.
        metric: a column of runs; margin and differences are in its unit.
        margin: of equivalence.
        alpha: family-wise error rate.
        higher_is_better: False for a loss.
        unit: the column that pairs rows.
        family: one family for all factors, by this name.

    Raises:
        ValueError: a column is missing, or duplicate completed rows.
    """
    tables = completed(runs, metric, factors, unit)
    options: dict[str, Any] = {"margin": margin, "alpha": alpha, "higher_is_better": higher_is_better}
    families: dict[str, list[Labelled]] = {}
    for factor in factors:
        name = family or f"{metric} by {factor}"
        families.setdefault(name, []).extend(_level_pairs(*tables, factor, options))
    rows = itertools.chain.from_iterable(_rows(found, name, metric) for name, found in families.items())
    return pd.DataFrame(rows, columns=COLUMNS)


def _level_pairs(
    wide: pd.DataFrame, attempted: pd.DataFrame, factor: str, options: dict[str, Any]
) -> Iterator[Labelled]:
    levels = pd.unique(wide.columns.get_level_values(factor))
    for a, b in itertools.combinations(levels, 2):
        left, right = _aligned(wide, factor, a, b)
        ran_left, ran_right = _aligned(attempted.astype(float), factor, a, b)
        both = left.notna() & right.notna()
        lost = ((ran_left == 1) | (ran_right == 1)) & ~both
        mean_a, mean_b = (side.where(both).mean(axis=1).to_numpy() for side in (left, right))
        judged = contrast(mean_a, mean_b, **options)
        yield Labelled(factor, a, b, dataclasses.replace(judged, dropped=int(lost.to_numpy().sum())))


def _aligned(wide: pd.DataFrame, factor: str, a: Any, b: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    left, right = _settings_of(wide, factor, a).align(_settings_of(wide, factor, b), join="outer")
    return left, right


def _settings_of(wide: pd.DataFrame, factor: str, level: Any) -> pd.DataFrame:
    """One level's columns, named by the other factors alone."""
    chosen: pd.DataFrame = wide.loc[:, wide.columns.get_level_values(factor) == level]
    if chosen.columns.nlevels == 1:
        return chosen.set_axis(["all"], axis=1)
    others = [name for name in chosen.columns.names if name != factor]
    return chosen.set_axis(chosen.columns.to_frame()[others].agg(tuple, axis=1), axis=1)


def log_ratio_contrast(a: Sequence[float], b: Sequence[float], margin: float = COST_MARGIN, **options: Any) -> Contrast:
    """Compare costs or speeds on paired rounds; differences are natural logarithms of a / b.

    A ratio is what speed and memory are compared by, and its logarithm is symmetric in a and b.

    Args:
        a: positive values, one per round; NaN where a round is missing.
        b: the same rounds of the other arm.
        margin: relative; 0.02 means that 2 % do not matter.
        options: of `contrast`.

    Raises:
        ValueError: a value is not positive, or what `contrast` raises.
    """
    left, right = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if np.any(left <= 0) or np.any(right <= 0):
        raise ValueError("speeds, times and memory must be positive to be compared by ratio")
    return contrast(np.log(left), np.log(right), float(np.log1p(margin)), **options)


def cost_contrasts(
    runs: pd.DataFrame,
    baseline_cell: str,
    metric: str,
    *,
    higher_is_better: bool,
    margin: float = COST_MARGIN,
    alpha: float = ALPHA,
    unit: str = "round",
    family: str | None = None,
) -> pd.DataFrame:
    """Speed or memory of every cell against the baseline on paired rounds.

    ``COLUMNS`` with differences as logarithms of the ratio, and ``ratio``, ``ratio_low``, ``ratio_high``.

    Args:
        runs: one row per cell and round, measured on one machine (ratios across hardware mean nothing).
        baseline_cell: a value of the column ``cell``.
        metric: a column of positive values, for example images per second.
        higher_is_better: True for a speed, False for a time or a memory.
        margin: relative; 0.02 means that 2 % do not matter.
        alpha: family-wise error rate.
        unit: the column that pairs rows.
        family: its name; by default it names metric and baseline.

    Raises:
        ValueError: a value is not positive, or what `contrasts_against` raises.
    """
    _require(runs, metric)
    values = pd.to_numeric(runs[metric], errors="coerce")
    if (values <= 0).any():
        raise ValueError(f"{metric} must be positive to be compared by ratio; lowest: {values.min():g}")
    table = contrasts_against(
        runs.assign(**{metric: np.log(values)}),
        baseline_cell,
        metric,
        margin=float(np.log1p(margin)),
        alpha=alpha,
        higher_is_better=higher_is_better,
        unit=unit,
        family=family,
    )
    for name, log_ratio in (("ratio", "difference"), ("ratio_low", "low"), ("ratio_high", "high")):
        table[name] = np.exp(table[log_ratio].astype(float))
    return table
