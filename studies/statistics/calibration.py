"""Proof that the rule keeps its word: error, coverage and power over thousands of simulated studies."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from studies.statistics.holm import holm_adjusted
from studies.statistics.moderated import Differences, compare
from studies.statistics.noises import NOISES, simulate
from studies.statistics.paired_tests import sign_flip_p, smallest_p
from studies.statistics.squeeze import Floats

COLUMNS = ["rule", "noise", "arms", "seeds", "quantity", "observed", "bound", "tolerance", "trials"]
COLUMNS += ["required", "passed"]
ALPHA = 0.05
MARGIN = 0.002
EFFECT = 0.005  # the difference whose power is told: half a point
AT_ONCE = 500  # studies: what a cache holds
SIGN_FLIPS = (12, 500)  # seeds and studies up to which all flips are tried
ERRORS = 3  # binomial standard errors that a simulated rate may stray

PROMISING = ("moderated", "looks")
SEEDS = (3, 4, 5, 8, 10, 20)
ARMS = (3, 6, 24)


def paired_t(values: Floats) -> Differences:
    """Every arm against arm 0 by its own paired t test; values shaped ``(studies, arms, seeds)``."""
    apart = values[:, 1:] - values[:, :1]
    n = values.shape[-1]
    error = apart.std(axis=-1, ddof=1) / math.sqrt(n)
    return Differences(apart.mean(axis=-1), error, np.full(error.shape, n - 1.0), np.full(error.shape, n))


RULES: dict[str, Callable[[Floats], Differences]] = {"moderated": compare, "paired t": paired_t}


def calibrate(
    studies: int = 20_000,
    *,
    seeds: Sequence[int] = SEEDS,
    arms: Sequence[int] = ARMS,
    noises: Sequence[str] = tuple(NOISES),
    seed: int = 0,
) -> pd.DataFrame:
    """One row per rule, noise, arms, seeds and quantity: ``COLUMNS``.

    Rates of false claims are family-wise: any `better` or `worse` where no arm differs; any `equivalent`
    where every arm is exactly the margin away (the worse of the two directions). Both are promised to stay
    within ``bound`` for the moderated rule; ``tolerance`` is what ``trials`` studies may stray. Coverage is
    that of one contrast's 95 % interval. Power is told, not promised. Rows do not depend on each other.

    Args:
        studies: simulated per row.
        seeds: numbers of seeds per arm.
        arms: with the baseline.
        noises: names in ``NOISES``.
        seed: of the generators.

    Raises:
        ValueError: an unknown noise.
    """
    unknown = [noise for noise in noises if noise not in NOISES]
    if unknown:
        raise ValueError(f"unknown noise {', '.join(unknown)}; choices: {', '.join(NOISES)}")
    rows = [
        {"noise": name, "arms": count, "seeds": n, **row}
        for name in noises
        for count in arms
        for n in seeds
        for row in _rows(name, count, n, studies, np.random.default_rng([seed, zlib.crc32(name.encode()), count, n]))
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(name: str, arms: int, n: int, studies: int, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    noise = NOISES[name]
    hits: dict[tuple[str, str], list[Floats]] = {}
    for start in range(0, studies, AT_ONCE):
        values = simulate(noise, min(AT_ONCE, studies - start), arms, n, rng)
        for rule, estimate in RULES.items():
            for quantity, found in _hits(estimate(values)).items():
                hits.setdefault((rule, quantity), []).append(found)
        if start < SIGN_FLIPS[1] and n <= SIGN_FLIPS[0]:
            hits.setdefault(("sign flip", "false difference"), []).append(_flipped(values))
    for (rule, quantity), parts in hits.items():
        yield row(rule, quantity, np.concatenate(parts), noise.required)


def _hits(estimated: Differences) -> dict[str, Floats]:
    """Per study and quantity: 1 or 0, or the share of its contrasts."""
    family = estimated.difference.shape[-1]
    p, within = estimated.p(), estimated.equivalence_p(MARGIN)
    level = ALPHA / family  # Holm rejects anything at all exactly when the smallest p passes it
    false = {
        f"false equivalence, {side}": _moved(estimated, shift).equivalence_p(MARGIN).min(axis=-1) <= level
        for side, shift in (("above", MARGIN), ("below", -MARGIN))
    }
    one = np.arange(family) == family - 1
    found = holm_adjusted(_moved(estimated, EFFECT * one).p())[:, -1] <= ALPHA
    shares = {
        "coverage": (p >= ALPHA).mean(axis=-1),
        "power, half a point": found,
        "power, equivalence": (holm_adjusted(within) <= ALPHA).mean(axis=-1),
    }
    hits = {"false difference": p.min(axis=-1) <= level, **false, **shares}
    return {quantity: np.asarray(hit, dtype=np.float64) for quantity, hit in hits.items()}


def _moved(estimated: Differences, shift: float | Floats) -> Differences:
    return Differences(estimated.difference + shift, estimated.error, estimated.df, estimated.n)


def _flipped(values: Floats) -> Floats:
    level = ALPHA / (values.shape[1] - 1)
    if smallest_p(values.shape[-1]) > level:  # no data could be claimed
        return np.zeros(len(values))
    p = sign_flip_p(values[:, 1:] - values[:, :1])
    return np.asarray(p.min(axis=-1) <= level, dtype=np.float64)


def row(rule: str, quantity: str, hits: Floats, promised: bool) -> dict[str, object]:
    """A rate over simulated studies, beside its bound; ``hits`` is shaped ``(studies,)``.

    False claims of the rules that speak are required where ``promised``.
    """
    observed, trials = float(hits.mean()), len(hits)
    tolerance = ERRORS * math.sqrt(ALPHA * (1 - ALPHA) / trials)
    bound, passed = math.nan, True
    if quantity.startswith("false"):
        bound, passed = ALPHA, observed <= ALPHA + tolerance
    elif quantity.startswith("coverage"):
        bound, passed = 1 - ALPHA, observed >= 1 - ALPHA - tolerance
    return {
        "rule": rule,
        "quantity": quantity,
        "observed": observed,
        "bound": bound,
        "tolerance": tolerance,
        "trials": trials,
        "required": promised and rule in PROMISING and quantity.startswith(("false", "coverage at the stop")),
        "passed": passed,
    }
