"""Accuracy per cost: which arms are on the Pareto front, and with what probability."""

from __future__ import annotations

import numpy as np
import pandas as pd

from studies.statistics.paired_tests import Floats

VALUES_AT_ONCE = 1_000_000  # 8 MB; thousands of seeds would else take gigabytes
MANY = 1_000  # rows, of which it is faster to count how often each was drawn
DRAWS = 2_000


def on_front(accuracy: Floats, cost: Floats) -> np.ndarray:
    """Which arms no other arm dominates: at least as accurate and as cheap, and strictly so in one.

    Args:
        accuracy: ``(..., arms)``, more is better; an arm that is NaN is never on the front.
        cost: ``(..., arms)``, less is better.
    """
    cheaper = cost[..., :, None] <= cost[..., None, :]
    better = accuracy[..., :, None] >= accuracy[..., None, :]
    strictly = (cost[..., :, None] < cost[..., None, :]) | (accuracy[..., :, None] > accuracy[..., None, :])
    dominated = (cheaper & better & strictly).any(axis=-2)
    return np.asarray(~dominated & np.isfinite(accuracy) & np.isfinite(cost))


def front_probability(
    accuracy: pd.DataFrame,
    cost: pd.DataFrame,
    *,
    higher_is_cheaper: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Probability that each arm is on the front of (accuracy up, cost down), by paired resampling.

    Each draw resamples the seeds and, apart from them, the timing rounds, with replacement: one choice of
    seeds for all arms, so what a seed shares between arms cancels. An accuracy is a mean, a cost the
    geometric mean of its rounds. Deviations are stretched by sqrt(n / (n - 1)), without which a bootstrap
    (Efron and Tibshirani 1993, chapter 12) is too narrow at small n; with five seeds the probability is
    still a rough one (Colas et al., arXiv 1806.08295).

    Args:
        accuracy: one row per seed, one column per arm; NaN where a trial failed.
        cost: one row per round, the same columns; positive. One row stands for an exact cost, such as FLOPs.
        higher_is_cheaper: True where ``cost`` is a speed.
        draws: how many.
        seed: of the generator.

    Returns:
        one row per arm: ``accuracy``, ``cost``, ``on_front`` (by the means), ``probability`` (NaN for every
        arm below two seeds: there is no spread to resample).

    Raises:
        ValueError: the arms differ between the tables, or a cost is not positive.
    """
    if set(accuracy.columns) != set(cost.columns) or not accuracy.columns.is_unique:
        raise ValueError(f"the arms differ: accuracy {list(accuracy.columns)}, cost {list(cost.columns)}")
    cost = cost[list(accuracy.columns)]
    if (cost <= 0).to_numpy().any():
        raise ValueError("costs must be positive")
    sign = -1.0 if higher_is_cheaper else 1.0
    points = accuracy.to_numpy(dtype=float), sign * np.log(cost.to_numpy(dtype=float))
    generator = np.random.default_rng(seed)
    drawn = [_resampled_means(values, draws, generator) for values in points]
    probability = on_front(*drawn).mean(axis=0) if len(accuracy) > 1 else np.full(len(accuracy.columns), np.nan)
    means = [_means(values) for values in points]
    return pd.DataFrame(
        {
            "accuracy": means[0],
            "cost": np.exp(sign * means[1]),
            "on_front": on_front(*means),
            "probability": probability,
        },
        index=accuracy.columns,
    )


def _means(values: Floats) -> Floats:
    """Means over the rows of ``(..., rows, arms)``; NaN where an arm has no value."""
    counts = np.isfinite(values).sum(axis=-2)
    sums = np.nansum(values, axis=-2)
    return np.asarray(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))


def _resampled_means(values: Floats, draws: int, generator: np.random.Generator) -> Floats:
    """Means of resampled rows ``(draws, arms)``, stretched about the means of all rows."""
    rows = len(values)
    centre = _means(values)
    counts = np.isfinite(values).sum(axis=0)
    stretch = np.sqrt(counts / np.maximum(counts - 1, 1))
    chosen = generator.integers(rows, size=(draws, rows))
    if rows > MANY:
        picked = _counted(values, chosen)
    else:
        parts = np.array_split(chosen, 1 + chosen.size * values.shape[1] // VALUES_AT_ONCE)
        picked = np.concatenate([_means(values[part]) for part in parts])
    return np.asarray(centre + stretch * (picked - centre))


def _counted(values: Floats, chosen: np.ndarray) -> Floats:
    """Means of the rows chosen by each draw; rounded, so that arms that are equal stay so in a product of matrices."""
    rows, known = len(values), np.isfinite(values)
    filled, found = np.where(known, values, 0.0), []
    for part in np.array_split(chosen, 1 + chosen.size // VALUES_AT_ONCE):
        places = part + rows * np.arange(len(part))[:, None]
        times = np.bincount(places.ravel(), minlength=part.size).reshape(part.shape).astype(float)
        sums, numbers = times @ filled, times @ known
        found.append(np.divide(sums, numbers, out=np.full(sums.shape, np.nan), where=numbers > 0))
    return np.round(np.concatenate(found), 12)
