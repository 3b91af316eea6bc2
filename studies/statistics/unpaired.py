"""Differences of arms whose runs share nothing: Welch's t test (1947), for many pairs at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from studies.statistics.moderated import Differences
from studies.statistics.squeeze import Floats

ROUNDING = 1e-12  # relative to the values compared


def welch(count: NDArray[np.int_], mean: Floats, variance: Floats, pairs: NDArray[np.int_]) -> Differences:
    """Unpaired differences a - b with Welch's error and degrees of freedom.

    Args:
        count: runs of each arm ``(arms,)``.
        mean: of each arm.
        variance: of each arm, NaN below two runs.
        pairs: indices (a, b) of arms, shaped ``(contrasts, 2)``.

    Returns:
        n is the number of runs of the arm that has fewer.
    """
    a, b = pairs[:, 0], pairs[:, 1]
    noise = (ROUNDING * np.maximum(np.abs(mean[a]), np.abs(mean[b]))) ** 2
    of_a, of_b = (variance[side] / np.maximum(count[side], 1) for side in (a, b))
    squared = of_a + of_b
    squared = np.where(squared > noise, squared, np.where(np.isnan(squared), np.nan, 0.0))
    doubt = of_a**2 / np.maximum(count[a] - 1, 1) + of_b**2 / np.maximum(count[b] - 1, 1)
    # where nothing scatters p stops at the signs, whatever these are
    df = np.where(squared > 0, squared**2 / np.maximum(doubt, 1e-300), 1.0)
    df = np.where(np.isnan(squared), np.nan, np.maximum(df, 1.0))
    return Differences(mean[a] - mean[b], np.sqrt(squared), df, np.minimum(count[a], count[b]))
