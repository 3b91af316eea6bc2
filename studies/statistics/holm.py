"""Holm's correction for one family of claims, for one study or for thousands at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from studies.statistics.squeeze import Floats


def holm_adjusted(p: ArrayLike) -> Floats:
    """p values adjusted so that any false rejection has the family's error rate (Holm 1979).

    What statsmodels' ``multipletests`` answers (the tests compare them), for many families at once and without the
    full garbage collection that each of its calls starts.

    Args:
        p: shaped ``(..., contrasts)``; a contrast without data stays in the family with p = 1.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, axis=-1, kind="stable")
    stepwise = np.take_along_axis(values, order, -1) * np.arange(values.shape[-1], 0, -1)
    adjusted = np.empty_like(values)
    np.put_along_axis(adjusted, order, np.minimum(np.maximum.accumulate(stepwise, axis=-1), 1.0), -1)
    return adjusted
