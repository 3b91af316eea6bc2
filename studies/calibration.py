"""Proof that the statistics keep their word: thousands of simulated studies whose truth is known.

A simulated study looks like one of ours: arms on shared seeds (a seed's effect is common to all arms), a
baseline, 10,000 test examples, accuracies near 0.97 with a standard deviation of 0.0015 between seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import ArrayLike

from studies.paired import Floats, equivalence_p, sign_flip_p, smallest_p, t_bounds
from studies.power import POWER, detectable_difference, equivalence_power
from studies.statistics import ALPHA, MARGIN

COLUMNS = ["noise", "seeds", "quantity", "observed", "expected", "low", "high", "trials", "passed", "required"]
ACCURACY = 0.97
SD = 0.0015
SEED_SHARE = 0.25  # of the variance between seeds: common to all arms
EXAMPLES = 10_000
# as many coin-flip examples as give the variance error / (2 examples) of Jordan 2023 (arXiv 2304.01910)
UNDECIDED = round(2 * (1 - ACCURACY) * EXAMPLES)

COVERAGE_TOLERANCE = 0.015
POWER_TOLERANCE = 0.03

Draw = Callable[[Generator, tuple[int, ...]], Floats]


@dataclass(frozen=True)
class Noise:
    """How accuracies of one arm scatter between seeds.

    Args:
        draw: training noise of mean 0 and variance 1.
        counted: whether accuracies are counts over a finite test set, most of whose variance that is.
        realistic: False for a stress test, of which only the error rates are required to hold.
    """

    draw: Draw
    counted: bool = True
    realistic: bool = True


def _normal(rng: Generator, shape: tuple[int, ...]) -> Floats:
    return rng.standard_normal(shape)


def _skewed(rng: Generator, shape: tuple[int, ...]) -> Floats:
    return np.asarray(1.0 - rng.standard_exponential(shape))


def _heavy(rng: Generator, shape: tuple[int, ...]) -> Floats:
    return np.asarray(rng.standard_t(3, shape) / math.sqrt(3))


NOISES = {
    "normal": Noise(_normal, counted=False),
    "test set": Noise(_normal),
    "test set, skewed": Noise(_skewed),
    "test set, heavy tails": Noise(_heavy),
    "stress: skewed": Noise(_skewed, counted=False, realistic=False),
    "stress: heavy tails": Noise(_heavy, counted=False, realistic=False),
}


def _finite_test_set_variance(noise: str) -> float:
    return UNDECIDED / 4 / EXAMPLES**2 if NOISES[noise].counted else 0.0


def true_sd(noise: str) -> float:
    """The standard deviation of a paired difference between two arms of equal quality."""
    training = (1 - SEED_SHARE) * (SD**2 - _finite_test_set_variance(noise))
    return math.sqrt(2 * (training + _finite_test_set_variance(noise)))


def simulate(noise: str, effects: Floats, seeds: int, studies: int, rng: Generator) -> Floats:
    """Accuracies of simulated studies, shaped (studies, arms, seeds).

    Args:
        noise: a name in ``NOISES``; ``skewed`` is exponential (bad runs are far away), ``heavy tails`` is
            t with 3 degrees of freedom, ``test set`` counts right answers to 10,000 examples.
        effects: what each arm's true accuracy adds to 0.97, a fraction, shaped (arms,).
        seeds: per arm, shared by all arms.
        studies: how many.
        rng: the generator.
    """
    training = SD**2 - _finite_test_set_variance(noise)
    shared = math.sqrt(SEED_SHARE * training) * rng.standard_normal((studies, 1, seeds))
    own = math.sqrt((1 - SEED_SHARE) * training) * NOISES[noise].draw(rng, (studies, len(effects), seeds))
    quality = ACCURACY + effects[:, None] + shared + own
    if not NOISES[noise].counted:
        return np.asarray(quality)
    decided = EXAMPLES - UNDECIDED
    chance = np.clip((quality * EXAMPLES - decided) / UNDECIDED, 0, 1)
    return np.asarray((decided + rng.binomial(UNDECIDED, chance)) / EXAMPLES)


def _against_baseline(accuracy: Floats) -> Floats:
    return accuracy[:, 1:] - accuracy[:, :1]


def _row(quantity: str, hits: ArrayLike, expected: float, low: float, high: float) -> dict[str, object]:
    values = np.asarray(hits, dtype=np.float64)
    observed = float(values.mean())
    passed = low <= observed <= high
    return {
        "quantity": quantity,
        "observed": observed,
        "expected": expected,
        "low": low,
        "high": high,
        "trials": values.size,
        "passed": passed,
    }


def _covered(values: Floats, truth: float) -> Floats:
    low, high = t_bounds(values)
    return np.asarray((low <= truth) & (truth <= high), dtype=np.float64)


def _null(noise: str, arms: int, seeds: int, studies: int, rng: Generator) -> Iterator[dict[str, object]]:
    """Studies in which no arm differs: false claims of a difference, and coverage."""
    accuracy = simulate(noise, np.zeros(arms), seeds, studies, rng)
    differences = _against_baseline(accuracy)
    p = sign_flip_p(differences)
    # Holm rejects anything at all exactly when the smallest p passes alpha / family size
    claims = p.min(axis=1) <= ALPHA / (arms - 1)
    yield _row("false positives, family-wise", claims, min(ALPHA, _attainable(seeds, arms)), 0.0, ALPHA)
    yield _row("false positives, one contrast", p[:, 0] <= ALPHA, _attainable(seeds, 2), 0.0, _with_error(studies))
    bounds = 0.95, 0.95 - COVERAGE_TOLERANCE, 0.95 + COVERAGE_TOLERANCE
    yield _row("coverage, difference", _covered(differences, 0.0), *bounds)
    yield _row("coverage, mean of an arm", _covered(accuracy, ACCURACY), *bounds)


def _attainable(seeds: int, arms: int) -> float:
    """The nominal rate, or 0 where so few seeds allow no claim."""
    return ALPHA if smallest_p(seeds) <= ALPHA / (arms - 1) else 0.0


def _with_error(trials: int) -> float:
    """The nominal rate and three binomial standard errors: one contrast's rate may be exactly nominal."""
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / trials)


def _different(noise: str, arms: int, seeds: int, studies: int, rng: Generator) -> Iterator[dict[str, object]]:
    """One arm differs by what is called detectable: is it found as often as promised?"""
    for family, name in ((1, "one contrast"), (arms - 1, f"family of {arms - 1}")):
        effect = detectable_difference(seeds, true_sd(noise), ALPHA / family)
        if math.isfinite(effect):
            pair = simulate(noise, np.array([0.0, effect]), seeds, studies, rng)
            found = sign_flip_p(_against_baseline(pair)) <= ALPHA / family
            yield _row(f"power, {name}", found, POWER, POWER - POWER_TOLERANCE, POWER + POWER_TOLERANCE)


def _equal(noise: str, arms: int, seeds: int, studies: int, rng: Generator) -> Iterator[dict[str, object]]:
    """Claims of equivalence: false ones where every arm is a margin away, true ones where none is."""
    effects = np.r_[0.0, np.full(arms - 1, -MARGIN)]
    away = equivalence_p(_against_baseline(simulate(noise, effects, seeds, studies, rng)), MARGIN)
    claims = away.min(axis=1) <= ALPHA / (arms - 1)
    yield _row("false equivalence, family-wise", claims, ALPHA, 0.0, ALPHA)
    yield _row("false equivalence, one contrast", away[:, 0] <= ALPHA, ALPHA, 0.0, _with_error(studies))
    same = _against_baseline(simulate(noise, np.zeros(2), seeds, studies, rng))
    expected = equivalence_power(0.0, true_sd(noise), seeds, MARGIN, ALPHA)
    bounds = max(0.0, expected - POWER_TOLERANCE), min(1.0, expected + POWER_TOLERANCE)
    found = equivalence_p(same, MARGIN) <= ALPHA
    yield _row("power of equivalence, one contrast", found, expected, *bounds)


def calibrate(
    studies: int = 4_000,
    seeds: Sequence[int] = (3, 5, 10, 20),
    noises: Sequence[str] = tuple(NOISES),
    arms: int = 24,
    seed: int = 0,
) -> pd.DataFrame:
    """Run the simulated studies: ``COLUMNS``, one row per noise, number of seeds and quantity.

    Every rate is observed over ``trials`` and passes between ``low`` and ``high``. False positives are
    claims of `better` or `worse` (sign-flip p, Holm) where nothing differs, false equivalences claims of
    `equivalent` where every arm is exactly the margin away. Power is that of the test, at the detectable
    difference of the true standard deviation; whether a difference within the margin is then called
    `equivalent` is the verdict rule's business.

    ``required`` rows are the promise. Under stress only error rates are promised: the t interval of a
    strongly skewed mean covers less at small n (differences of arms of one shape are symmetric and do not),
    and power formulas assume normal differences. Those rows show by how much, and may fail.

    Args:
        studies: simulated studies per noise, number of seeds and kind of truth.
        seeds: numbers of seeds per arm.
        noises: names in ``NOISES``.
        arms: with the baseline.
        seed: of the generators; each row's is derived from it, so rows do not depend on each other.

    Raises:
        ValueError: an unknown noise.
    """
    unknown = [noise for noise in noises if noise not in NOISES]
    if unknown:
        raise ValueError(f"unknown noise {', '.join(unknown)}; choices: {', '.join(NOISES)}")
    table = pd.DataFrame(
        [
            {"noise": noise, "seeds": n, **row}
            for noise in noises
            for n in seeds
            for part, truth in enumerate((_null, _different, _equal))
            for row in truth(noise, arms, n, studies, np.random.default_rng([seed, list(NOISES).index(noise), n, part]))
        ],
        columns=COLUMNS,
    )
    realistic = table["noise"].map({name: noise.realistic for name, noise in NOISES.items()}).astype(bool)
    return table.assign(required=realistic | table["quantity"].str.startswith("false"))
