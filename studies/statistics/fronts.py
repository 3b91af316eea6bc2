"""Fronts of several objectives: who is on them, how much they dominate, and which few of many to keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from studies.statistics.paired_tests import Floats


def non_dominated(losses: Floats) -> np.ndarray:
    """Which points no other point dominates: as good in every objective and better in one.

    Args:
        losses: ``(n, objectives)``, less is better.

    Returns:
        booleans ``(n,)``; of equal points all.
    """
    as_good = (losses[:, None] <= losses[None, :]).all(axis=-1)
    better = (losses[:, None] < losses[None, :]).any(axis=-1)
    return np.asarray(~(as_good & better).any(axis=0))


def hypervolume(losses: Floats, reference: ArrayLike) -> float:
    """Volume that points dominate below a reference point, by slicing along the last objective (Zitzler and Thiele
    1999, doi 10.1109/4235.797969).

    Args:
        losses: ``(n, objectives)``, less is better; what is not below the reference adds nothing.
        reference: ``(objectives,)``.
    """
    reference = np.asarray(reference, dtype=float)
    points = losses[(losses < reference).all(axis=1)]
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(reference[0] - points.min())
    points = points[non_dominated(points)]
    points = points[np.argsort(points[:, -1], kind="stable")]
    ends = [*points[1:, -1], reference[-1]]
    return float(
        sum(
            (end - point[-1]) * hypervolume(points[: i + 1, :-1], reference[:-1])
            for i, (point, end) in enumerate(zip(points, ends, strict=True))
            if end > point[-1]
        )
    )


def most_covering(losses: Floats, reference: ArrayLike, most: int) -> list[int]:
    """Places of at most so many points of a front, each adding the most hypervolume to those before it.

    Args:
        losses: ``(n, objectives)``, less is better.
        reference: ``(objectives,)``.
        most: how many.
    """
    left: list[int] = np.flatnonzero(non_dominated(losses)).tolist()
    chosen: list[int] = []
    while left and len(chosen) < most:
        volumes = [hypervolume(losses[[*chosen, place]], reference) for place in left]
        chosen.append(left.pop(int(np.argmax(volumes))))
    return chosen


def scaled(values: Floats, directions: Sequence[str], logarithmic: Sequence[bool]) -> Floats:
    """Objectives as losses from 0 (best seen) to 1 (worst seen), costs by their logarithm.

    Args:
        values: ``(n, objectives)``.
        directions: ``maximize`` or ``minimize``, one an objective.
        logarithmic: one an objective.
    """
    columns = []
    for column, direction, log in zip(values.T, directions, logarithmic, strict=True):
        bent = np.log(column) if log else column
        loss = -bent if direction == "maximize" else bent
        width = loss.max() - loss.min()
        columns.append((loss - loss.min()) / width if width else np.zeros_like(loss))
    return np.column_stack(columns)


def hypervolume_history(losses: Floats, reference: ArrayLike) -> Floats:
    """Hypervolume after every point ``(n,)``."""
    return np.array([hypervolume(losses[: i + 1], reference) for i in range(len(losses))])
