"""Tables of contrasts from the tidy table of runs: one row per comparison, ready for ``contrasts.csv``.

``runs`` has one row per trial: ``cell``, the factors, ``seed``, ``status`` and the metrics. A trial whose
status is not ``complete`` counts as attempted, without a value. One seed is one unit.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from studies.statistics.judging import Look, Pair, judge_pairs
from studies.statistics.question import ACCURACY, Question
from studies.statistics.seeds_by_arms import completed, require_columns
from studies.statistics.verdicts import Contrast, as_family

COLUMNS = [
    "family",
    "factor",
    "a",
    "b",
    "setting",
    "n",
    "dropped",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "verdict",
    "verdict_images",
    "detectable",
    "seeds_needed",
    "d_z",
    "p_superiority",
    "p_sign_flip",
    "metric",
    *("error", "df", "sd", "p_looks", "p_equivalence", "p_equivalence_holm", "looks", "share"),
    *("image_error", "low_images", "high_images", "margin", "alpha", "family_size", "higher_is_better"),
]


@dataclasses.dataclass(frozen=True)
class Labelled:
    """A contrast and what it compares; ``setting`` names the levels of the factors that are held."""

    factor: str
    a: Any
    b: Any
    contrast: Contrast
    setting: str = ""


def contrasts_against(
    runs: pd.DataFrame,
    baseline_cell: str,
    question: Question = ACCURACY,
    *,
    unit: str = "seed",
    family: str | None = None,
    looks: Sequence[Look] = (),
    image_errors: Mapping[Any, float] | None = None,
) -> pd.DataFrame:
    """Every cell (a) against the baseline cell (b), one family; ``COLUMNS``, one row per cell.

    The arms lend each other what they know of their spread: see `moderated`.

    Args:
        runs: one row per trial.
        baseline_cell: a value of the column ``cell``.
        question: metric, margin, error rate and direction.
        unit: the column that pairs rows.
        family: its name; by default it names metric and baseline.
        looks: how the study had grown at every look so far, the present one last; none for one planned look.
        image_errors: by cell, `images.image_error` of its contrast.

    Raises:
        ValueError: no such baseline or column, or duplicate completed rows.
    """
    require_columns(runs, "cell")
    cells = list(pd.unique(runs["cell"]))
    if baseline_cell not in cells:
        raise ValueError(f"no cell {baseline_cell!r} in runs; choices: {', '.join(map(str, cells))}")
    others = [cell for cell in cells if cell != baseline_cell]
    pairs = [Pair(cell, baseline_cell, (image_errors or {}).get(cell, np.nan)) for cell in others]
    judged = judge_pairs(*by_cell(runs, question.metric, unit), pairs, question, looks)
    found = [Labelled("cell", cell, baseline_cell, one) for cell, one in zip(others, judged, strict=True)]
    return _frame({family or f"{question.metric} against {baseline_cell}": found}, question.metric)


def simple_effects(
    runs: pd.DataFrame,
    factors: Sequence[str],
    baseline: Mapping[str, Any],
    question: Question = ACCURACY,
    *,
    looks: Sequence[Look] = (),
) -> pd.DataFrame:
    """Each change away from a baseline level, in every setting of the other factors; ``COLUMNS``.

    Where factors interact, these are what a change does, and an average over settings is nobody's effect.
    A factor's changes in all settings are one family.

    Args:
        runs: one row per trial.
        factors: columns of runs that make up a cell.
        baseline: factor -> its level at the baseline.
        question: metric, margin, error rate and direction.
        looks: as of `contrasts_against`.
    """
    values, attempted = by_cell(runs, question.metric, "seed")
    levels = runs.drop_duplicates("cell").set_index("cell")[list(factors)].astype(object)
    levels = levels.where(levels.notna(), "-")
    cells = {tuple(row): cell for cell, row in zip(levels.index, levels.itertuples(index=False), strict=True)}
    families: dict[str, list[Labelled]] = {}
    for place, factor in enumerate(factors):
        changes = []
        for key, cell in cells.items():
            back = (*key[:place], baseline[factor], *key[place + 1 :])
            if key[place] != baseline[factor] and back in cells:
                held = ", ".join(f"{n}={v}" for n, v in zip(factors, key, strict=True) if n != factor)
                changes.append((Pair(cell, cells[back]), key[place], held))
        judged = judge_pairs(values, attempted, [pair for pair, _, _ in changes], question, looks)
        families[f"{question.metric} by {factor} in each setting"] = [
            Labelled(factor, level, baseline[factor], one, held)
            for (_, level, held), one in zip(changes, judged, strict=True)
        ]
    return _frame(families, question.metric)


def factor_contrasts(
    runs: pd.DataFrame,
    factors: Sequence[str],
    question: Question = ACCURACY,
    *,
    unit: str = "seed",
    family: str | None = None,
    looks: Sequence[Look] = (),
    baseline: Mapping[str, Any] | None = None,
    balanced: bool = False,
) -> pd.DataFrame:
    """Every pair of levels within a factor, averaged over the other factors; ``COLUMNS``.

    For one seed, level a and level b are averaged over those settings of the other factors that completed
    for both: what one side lacks, the other side loses too. So a seed is one pair (n counts seeds) and
    ``dropped`` counts the trials-against-trials left out. The test is the plain paired t on these averages: arms
    that share a level may share luck, which a sum of the arms' own variances would overlook.

    Each factor is a family of its own, unless ``family`` names one for all of them.

    Args:
        runs: one row per trial.
        factors: columns of runs that make up a cell; a factor with one level gives no row.
        question: metric, margin, error rate and direction.
        unit: the column that pairs rows.
        family: one family for all factors, by this name.
        looks: as of `contrasts_against`.
        baseline: factor -> its level at the baseline, which stands as b wherever it is compared.
        balanced: the arms are an orthogonal fraction, in which two levels may share no setting: then each is
            averaged over all arms that have it, and a seed counts if all of these completed.

    Raises:
        ValueError: a column is missing, or duplicate completed rows.
    """
    wide, attempted = completed(runs, question.metric, factors, unit)
    names = runs.drop_duplicates(list(factors))
    cells = dict(zip(map(tuple, names[list(factors)].astype(object).to_numpy()), names.get("cell", []), strict=False))
    ran = [look.masked(wide, [cells.get(tuple(column)) for column in wide.columns]) for look in looks] or [wide]
    shares = [look.share for look in looks] or [1.0]
    families: dict[str, list[Labelled]] = {}
    for factor in factors:
        name = family or f"{question.metric} by {factor}"
        found = _level_pairs(ran, shares, attempted, factor, question, balanced)
        families.setdefault(name, []).extend(_turned(pair, (baseline or {}).get(factor)) for pair in found)
    return _frame(families, question.metric, as_families=True)


def by_cell(runs: pd.DataFrame, metric: str, unit: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`completed` with cells for columns."""
    found = completed(runs, metric, ["cell"], unit)
    values, attempted = (table.set_axis(table.columns.get_level_values("cell"), axis=1) for table in found)
    return values, attempted


def _frame(families: Mapping[str, Sequence[Labelled]], metric: str, as_families: bool = False) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for name, found in families.items():
        contrasts = [item.contrast for item in found]
        for item, one in zip(found, as_family(contrasts) if as_families else contrasts, strict=True):
            labels = {"factor": item.factor, "a": item.a, "b": item.b, "setting": item.setting}
            rows.append({"family": name, **labels, "metric": metric, **dataclasses.asdict(one)})
    return pd.DataFrame(rows, columns=COLUMNS)


def _turned(pair: Labelled, base: Any) -> Labelled:
    """With the baseline's level as b."""
    if base is None or pair.a != base:
        return pair
    return dataclasses.replace(pair, a=pair.b, b=pair.a, contrast=pair.contrast.reversed())


def _level_pairs(
    ran: Sequence[pd.DataFrame],
    shares: Sequence[float],
    attempted: pd.DataFrame,
    factor: str,
    question: Question,
    balanced: bool,
) -> Iterator[Labelled]:
    levels = pd.unique(ran[-1].columns.get_level_values(factor))
    for a, b in itertools.combinations(levels, 2):
        tables = []
        for wide in ran:
            left, right = _aligned(wide, factor, a, b)
            both = left.notna() & right.notna()
            if balanced and not both.any(axis=None):
                sides = [_settings_of(wide, factor, level).mean(axis=1, skipna=False) for level in (a, b)]
            else:
                sides = [side.where(both).mean(axis=1) for side in (left, right)]
            tables.append(pd.DataFrame(dict(zip("ab", sides, strict=True))))
        ran_left, ran_right = _aligned(attempted.astype(float), factor, a, b)
        lost = ((ran_left == 1) | (ran_right == 1)) & ~both
        (judged,) = judge_pairs(tables, None, [Pair("a", "b")], question, shares)
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
