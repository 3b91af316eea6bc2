"""The factorial design used for what it is: main effects, interactions, and their shares of variance."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from patsy import dmatrix
from scipy import stats

from studies.statistics.holm import holm_adjusted

COLUMNS = ["term", "df", "sum_squares", "mean_square", "F", "p", "p_holm", "eta2", "omega2"]
Term = frozenset[str]
BLOCK_NAME = "x00"
BLOCK: Term = frozenset({BLOCK_NAME})
ALIKE, KIND = "alike", "kind"
"""Seeds that have the same arms are alike; values of one arm and of seeds that are alike are of one kind: their rows of
every design are equal."""
MANY = 10_000
"""Of more values, those of one kind are taken together; fewer are each a kind of their own."""


def factorial(
    runs: pd.DataFrame,
    factors: Sequence[str],
    metric: str = "test_accuracy",
    *,
    block: str = "seed",
    interactions: bool = True,
) -> pd.DataFrame:
    """Analysis of variance with the seed as block: ``COLUMNS``, one row per term, then residual and total.

    Type II sums of squares (Langsrud 2003): what a term explains beyond every term that does not contain
    it. With balanced data this is the classical decomposition; with missing trials or whole missing cells it
    stays meaningful, degrees of freedom being ranks. Blocking: Montgomery, Design and Analysis of
    Experiments, chapter 5.6.

    ``eta2`` is the term's share of the total sum of squares; balanced shares add up to 1. ``omega2`` takes
    out what noise alone would explain (Olejnik and Algina 2003) and may fall below 0, which means nothing
    found. ``p_holm`` is Holm over the terms, the block left out. The test holds the residual for one normal
    noise, equal everywhere; for a claim about two levels read `contrasts.factor_contrasts`, which does not.
    F and p are NaN where nothing is left to estimate noise from (one seed and no higher interaction).

    Args:
        runs: one row per trial; rows that failed (``status`` not ``complete``) or without value are left out.
        factors: columns of runs; one with a single level gets a row with ``df`` 0.
        metric: a column of runs.
        block: the column of the seed.
        interactions: whether to add every pair of factors.

    Raises:
        ValueError: a column is missing, or fewer than two completed trials.
    """
    data, names = _tidy(runs, [block, *factors], metric)
    terms = [frozenset({name}) for name in names]
    if interactions:
        terms += [frozenset(pair) for pair in itertools.combinations(names[1:], 2)]
    full_ss, full_df = _residual(data, terms)
    noise = full_ss / full_df if full_df else np.nan
    total = float(((data["value"] - data["value"].mean()) ** 2).sum())
    rows = []
    for term in terms:
        label = ":".join([block, *factors][names.index(name)] for name in sorted(term))
        rows.append(_row(label, *_explained(data, term, terms), noise, full_df, total))
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["p_holm"] = _holm(table["p"].to_numpy(), is_block=np.array([t == {names[0]} for t in terms]))
    residual = [("residual", full_df, full_ss, noise), ("total", len(data) - 1, total, np.nan)]
    ends = [(*end, *[np.nan] * 3, end[2] / total if total else np.nan, np.nan) for end in residual]
    return pd.concat([table, pd.DataFrame(ends, columns=COLUMNS)], ignore_index=True)


def _tidy(runs: pd.DataFrame, columns: Sequence[str], metric: str) -> tuple[pd.DataFrame, list[str]]:
    """Completed values and their categories under names that a formula can hold: x0 (block), x1, ..."""
    missing = [name for name in (*columns, metric) if name not in runs]
    if missing:
        raise ValueError(f"runs has no column {', '.join(missing)}; it has: {', '.join(map(str, runs))}")
    value = pd.to_numeric(runs[metric], errors="coerce")
    if "status" in runs:
        value = value.where(runs["status"] == "complete")
    names = [f"x{i:02d}" for i in range(len(columns))]
    data = pd.DataFrame({name: runs[column].astype(str) for name, column in zip(names, columns, strict=True)})
    data = data.assign(value=value).dropna(subset=["value"]).astype(dict.fromkeys(names, "category"))
    if len(data) < 2:
        raise ValueError(f"{len(data)} completed trials have a {metric}; at least 2 are needed")
    return data.assign(**_kinds(data, names)), names


def _kinds(data: pd.DataFrame, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Of every value, a number for the arms of its seed, and one for these and its arm."""
    seed = data[names[0]].cat.codes.to_numpy(int)
    if len(data) <= MANY:
        return {ALIKE: seed, KIND: np.arange(len(data))}
    groups = data.groupby(list(names[1:]), sort=False, observed=True) if names[1:] else None
    arm = np.zeros(len(data), int) if groups is None else groups.ngroup().to_numpy(int)
    counts = np.zeros((seed.max() + 1, arm.max() + 1), dtype=np.int32)
    np.add.at(counts, (seed, arm), 1)
    alike = np.unique(counts, axis=0, return_inverse=True)[1].ravel()[seed]
    return {ALIKE: alike, KIND: np.unique(alike * (arm.max() + 1) + arm, return_inverse=True)[1]}


def _residual(data: pd.DataFrame, terms: Iterable[Term]) -> tuple[float, int]:
    """Residual sum of squares and degrees of freedom of a linear model with these terms.

    A block is taken out by subtracting its means from values and columns (Frisch and Waugh 1933): a column
    of its own for each of thousands of seeds would not fit into memory. What is of one kind has one row in the
    design: a model explains its mean, weighted by its number, and nothing of the scatter about that.
    """
    counts = data.drop(columns=["value", ALIKE, KIND]).nunique()
    varying = [term for term in terms if all(counts[name] > 1 for name in term)]
    values = data["value"].to_numpy()
    rounding = 1e-12 * float(np.abs(values).max())
    kind, (_, first, number) = data[KIND].to_numpy(), np.unique(data[KIND], return_index=True, return_counts=True)
    value, design = values - values.mean(), _design(data.iloc[first], [term for term in varying if term != BLOCK])
    blocks = 0
    if BLOCK in varying:
        seed, blocks = data[BLOCK_NAME].cat.codes.to_numpy(), counts[BLOCK_NAME]
        value = value - (np.bincount(seed, value) / np.bincount(seed))[seed]
        design = _within(design, data[ALIKE].to_numpy()[first], number)
    mean = np.bincount(kind, value) / number
    solution, _, rank, _ = np.linalg.lstsq(design * np.sqrt(number)[:, None], mean * np.sqrt(number), rcond=None)
    residual, scatter = mean - design @ solution, value - mean[kind]
    residual[np.abs(residual) < rounding] = 0.0
    scatter[np.abs(scatter) < rounding] = 0.0
    residual *= np.sqrt(number)
    return float(residual @ residual + scatter @ scatter), len(data) - int(rank) - int(blocks)


def _design(data: pd.DataFrame, terms: Iterable[Term]) -> np.ndarray:
    """One row per row, columns of sum contrasts and their products; rows of one arm are equal."""
    formula = " + ".join(["1", *(":".join(f"C({name}, Sum)" for name in sorted(term)) for term in terms)])
    names = [name for name in data if name not in (BLOCK_NAME, "value", ALIKE, KIND)]
    if not names:
        return np.ones((len(data), 1))
    arms = data.groupby(names, sort=False, observed=True)
    first = data.loc[~data.duplicated(names), names].astype(str)
    return np.asarray(dmatrix(formula, first))[arms.ngroup().to_numpy()]


def _within(columns: np.ndarray, group: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Columns ``(n, k)`` less their weighted means within each group."""
    sums = np.zeros((group.max() + 1, columns.shape[1]))
    np.add.at(sums, group, columns * weights[:, None])
    means: np.ndarray = sums / np.bincount(group, weights)[:, None]
    return np.asarray(columns - means[group])


def _explained(data: pd.DataFrame, term: Term, terms: Sequence[Term]) -> tuple[int, float]:
    """Degrees of freedom and Type II sum of squares of a term."""
    others = [other for other in terms if not term <= other]
    without_ss, without_df = _residual(data, others)
    with_ss, with_df = _residual(data, [*others, term])
    return without_df - with_df, max(0.0, without_ss - with_ss)


def _row(label: str, df: int, sum_squares: float, noise: float, noise_df: int, total: float) -> dict[str, object]:
    mean_square = sum_squares / df if df else np.nan
    ratio = mean_square / noise if noise > 0 else np.nan
    return {
        "term": label,
        "df": df,
        "sum_squares": sum_squares,
        "mean_square": mean_square,
        "F": ratio,
        "p": float(stats.f.sf(ratio, df, noise_df)) if df and noise > 0 else np.nan,
        "eta2": sum_squares / total if total else np.nan,
        "omega2": (sum_squares - df * noise) / (total + noise) if total else np.nan,
    }


def _holm(p: np.ndarray, is_block: np.ndarray) -> np.ndarray:
    adjusted = np.full(len(p), np.nan)
    family = ~is_block & np.isfinite(p)
    if family.any():
        adjusted[family] = holm_adjusted(p[family])
    return adjusted
