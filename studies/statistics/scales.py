"""How differences of a metric are said, and how small a difference of it matters to nobody by default."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from studies.statistics.question import MARGIN

OWN_UNIT = re.compile(
    r"loss|nll|entropy|perplex|ppl|mse|mae|bce|second|time|latency|duration|memory|param|flop|speed|throughput"
    r"|fps|_ms$|mib|[gm]b$|reward|return|psnr|grad|norm|epoch|step",
    re.IGNORECASE,
)
"""Names of metrics that are no share of anything, wherever their values lie."""
ERROR = re.compile(r"err", re.IGNORECASE)


@dataclass(frozen=True)
class Scale:
    """How values of a metric are said.

    Args:
        kind: ``fraction``, ``percent`` or ``own``.
        times: what a difference is multiplied with to be said: 100 for fractions.
        unit: the word after it.
        margin: of equivalence by default, in the metric's own unit; 0 for none.
    """

    kind: str
    times: float
    unit: str
    margin: float


FRACTION = Scale("fraction", 100.0, "points", MARGIN)
PERCENT = Scale("percent", 1.0, "points", 100 * MARGIN)
OWN = Scale("own", 1.0, "", 0.0)


def scale_of(metric: str, values: ArrayLike, higher_is_better: bool = True) -> Scale:
    """Fractions lie in [0, 1], percents in [0, 100]; losses, times and what is better low have their own unit.

    Args:
        metric: its name; an error rate, better low, is a share all the same.
        values: all of them, without NaN.
        higher_is_better: False for a loss, a time or a memory.
    """
    array = np.asarray(values, dtype=np.float64)
    if not array.size or OWN_UNIT.search(metric) or not (higher_is_better or ERROR.search(metric)):
        return OWN
    low, high = array.min(), array.max()
    if low < 0 or high > 100:
        return OWN
    return FRACTION if high <= 1 else PERCENT
