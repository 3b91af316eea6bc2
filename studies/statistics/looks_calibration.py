"""Proof that looking keeps its word: error and coverage under planned looks, and what they save."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from studies.statistics.calibration import ALPHA, COLUMNS, MARGIN, row
from studies.statistics.holm import holm_adjusted
from studies.statistics.looks import LOOKS, rehearse
from studies.statistics.moderated import compare
from studies.statistics.noises import ACCURACY, NOISES, SEEN, simulate
from studies.statistics.squeeze import Floats

AT_ONCE = 200  # studies: what a cache holds
ARMS = (6, 24)
NULL = ("normal", "heavy tails", "unequal, as seen", "unequal 10 : 1, mixed", "stress: unequal, as seen, skewed")
FIXED = (5, 8, 12, 16, 20, 24, 30)
HALF = 0.5  # of the fixed design's trials: the promise

EFFECTS = (
    *(0.0, -0.04, 0.03, -0.98, -0.89, -0.03, -0.23, -0.81, -0.60, -0.27, -5.53, -5.54),
    *(-0.90, -1.42, -0.80, -0.74, -0.38, -0.38, -0.76, -0.64, -0.36, -0.41, -0.67, -0.69),
)
"""Differences of the 24 arms of the default study on MNIST to its baseline, in points, baseline first."""


def calibrate_looks(studies: int = 4_000, looks: Sequence[int] = LOOKS, seed: int = 0) -> pd.DataFrame:
    """Rows like those of `simulation.calibrate`, of the rule ``looks``; ``seeds`` is the last look.

    False claims at any look up to the last, which bounds every earlier stop: decided contrasts stay
    decided. ``coverage at the stop`` is that of the repeated interval where each contrast stopped.

    Args:
        studies: simulated per row.
        looks: planned.
        seed: of the generators.
    """
    rows = [
        {"noise": name, "arms": arms, "seeds": looks[-1], **found}
        for name in NULL
        for arms in ARMS
        for found in _promises(
            name, arms, studies, looks, np.random.default_rng([seed, zlib.crc32(name.encode()), arms])
        )
    ]
    saving = [
        {"noise": "the default study", "arms": len(SEEN), "seeds": looks[-1], **found}
        for found in _saving(max(100, studies // 10), looks, np.random.default_rng(seed))
    ]
    return pd.DataFrame(rows + saving, columns=COLUMNS)


def _promises(
    name: str, arms: int, studies: int, looks: Sequence[int], rng: np.random.Generator
) -> Iterator[dict[str, object]]:
    noise = NOISES[name]
    hits: dict[str, list[Floats]] = {}
    for start in range(0, studies, AT_ONCE):
        values = simulate(noise, min(AT_ONCE, studies - start), arms, looks[-1], rng)
        for key, shift in (("false difference", 0.0), ("above", MARGIN), ("below", -MARGIN)):
            values[:, 1:] += shift
            *_, (last, _) = rehearse(values, looks, margin=MARGIN, alpha=ALPHA)
            values[:, 1:] -= shift
            if shift:
                hits.setdefault(f"false equivalence, {key}", []).append(_any(last.equivalence_p))
            else:
                hits.setdefault(key, []).append(_any(last.p))
                covered = (last.low <= 0) & (last.high >= 0)
                hits.setdefault("coverage at the stop", []).append(np.asarray(covered.mean(axis=-1), dtype=np.float64))
    for quantity, found in hits.items():
        yield row("looks", quantity, np.concatenate(found).astype(np.float64), noise.required)


def _any(p: Floats) -> Floats:
    return np.asarray((holm_adjusted(p) <= ALPHA).any(axis=-1), dtype=np.float64)


def _saving(studies: int, looks: Sequence[int], rng: np.random.Generator) -> Iterator[dict[str, object]]:
    spread = np.r_[SEEN[2], SEEN[:2], SEEN[3:]] / 100  # the baseline was the third quietest
    noise = rng.standard_normal((studies, len(spread), max(*looks, *FIXED)))
    values = ACCURACY + np.array(EFFECTS)[:, None] / 100 + spread[:, None] * noise
    *_, (last, trials) = rehearse(values[..., : looks[-1]], looks, margin=MARGIN, alpha=ALPHA)
    decided = last.decided(ALPHA).sum(axis=-1).mean()
    fixed = np.maximum.accumulate([_decided(values[..., :n]) for n in FIXED])
    needed = float(np.interp(decided, fixed, FIXED)) * len(spread)
    told = {"decided": decided, "trials": trials.mean(), "trials of a fixed design that decides as many": needed}
    empty = {"rule": "looks", "bound": math.nan, "tolerance": math.nan, "trials": studies, "required": False}
    for quantity, observed in told.items():
        yield {**empty, "quantity": quantity, "observed": float(observed), "passed": True}
    ratio = float(trials.mean() / needed)
    promise = {"bound": HALF, "tolerance": 0.05, "required": True, "passed": ratio <= HALF + 0.05}
    yield {**empty, **promise, "quantity": "share of the fixed design's trials", "observed": ratio}


def _decided(values: Floats) -> float:
    found = compare(values)
    settled = (holm_adjusted(found.p()) <= ALPHA) | (holm_adjusted(found.equivalence_p(MARGIN)) <= ALPHA)
    return float(settled.sum(axis=-1).mean())
