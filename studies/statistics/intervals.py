"""A mean over seeds with its t interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from studies.statistics.paired_tests import Floats, t_bounds


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its t interval, in the unit of the values."""

    n: int
    mean: float
    sd: float
    low: float
    high: float


def interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean, standard deviation and t interval of the finite values.

    One value has no sd and no bounds (NaN); no value has no mean either. Colas et al. (arXiv 1806.08295,
    section 5): at small n a t interval holds where a bootstrap does not.

    Raises:
        ValueError: the confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r} must lie between 0 and 1, for example 0.95")
    array = np.ravel(np.asarray(values, dtype=np.float64))
    array = array[np.isfinite(array)]
    low, high = t_bounds(array, confidence)
    mean = float(array.mean()) if len(array) else math.nan
    return Interval(len(array), mean, sd_of(array), float(low), float(high))


def sd_of(values: Floats) -> float:
    """The standard deviation of a sample; NaN below two values."""
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan
