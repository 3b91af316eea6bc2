"""Simulated studies whose truth is known: how the accuracies of equal arms scatter."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

from studies.statistics.squeeze import Floats

ACCURACY = 0.97
SD = 0.0015
SEED_SHARE = 0.25  # of the variance between seeds: common to all arms
EXAMPLES = 10_000
# as many coin-flip examples as give the variance error / (2 examples) of Jordan 2023 (arXiv 2304.01910)
UNDECIDED = round(2 * (1 - ACCURACY) * EXAMPLES)
COLLAPSES = 0.03  # of the runs
COLLAPSE = (0.02, 0.6)  # of accuracy that such a run loses

SEEN = (
    *(0.080, 0.092, 0.115, 0.126, 0.135, 0.137, 0.141, 0.149, 0.155, 0.173, 0.178, 0.185),
    *(0.186, 0.197, 0.208, 0.213, 0.215, 0.230, 0.232, 0.237, 0.248, 0.296, 0.319, 0.538),
)
"""Standard deviations of the 24 arms of the default study on MNIST (5 seeds, seed effects out), in points."""

Spread = Literal["equal", "seen", "mixed", "loud baseline", "loud arm", "quiet baseline"]


@dataclass(frozen=True)
class Noise:
    """How accuracies scatter between seeds.

    Args:
        draw: training noise of mean 0 and variance 1.
        spread: of the arms' standard deviations; all but ``equal`` and ``seen`` are 10 : 1.
        counted: whether accuracies are counts over a finite test set, most of whose variance that is.
        collapses: whether 3 % of the runs lose 2 to 60 points.
        required: False where no rule holds 5 %; its rows show by how much.
    """

    draw: Callable[[Generator, tuple[int, ...]], Floats]
    spread: Spread = "equal"
    counted: bool = False
    collapses: bool = False
    required: bool = True


def _normal(rng: Generator, shape: tuple[int, ...]) -> Floats:
    return rng.standard_normal(shape)


def _skewed(rng: Generator, shape: tuple[int, ...]) -> Floats:
    return np.asarray(1.0 - rng.standard_exponential(shape))


def _heavy(rng: Generator, shape: tuple[int, ...]) -> Floats:
    return np.asarray(rng.standard_t(3, shape) / math.sqrt(3))


NOISES = {
    "normal": Noise(_normal),
    "skewed": Noise(_skewed),
    "heavy tails": Noise(_heavy),
    "test set": Noise(_normal, counted=True),
    "test set, skewed": Noise(_skewed, counted=True),
    "collapsed runs": Noise(_normal, collapses=True),
    "unequal, as seen": Noise(_normal, "seen"),
    "unequal 10 : 1, mixed": Noise(_normal, "mixed"),
    "unequal 10 : 1, loud baseline": Noise(_normal, "loud baseline"),
    "unequal 10 : 1, one loud arm": Noise(_normal, "loud arm"),
    "unequal 10 : 1, quiet baseline": Noise(_normal, "quiet baseline"),
    "unequal, as seen, heavy tails": Noise(_heavy, "seen"),
    "unequal, as seen, collapsed runs": Noise(_normal, "seen", collapses=True),
    "stress: unequal, as seen, skewed": Noise(_skewed, "seen", required=False),
    "stress: unequal 10 : 1, mixed, skewed": Noise(_skewed, "mixed", required=False),
}


def _spread(spread: Spread, studies: int, arms: int, rng: Generator) -> Floats:
    """Standard deviations, shaped ``(studies, arms, 1)``."""
    if spread == "seen":
        return np.asarray(rng.choice(np.array(SEEN) / 100, (studies, arms, 1)))
    if spread == "mixed":
        return np.asarray(SD / 3 * rng.choice([1.0, 10.0], (studies, arms, 1)))
    sd = np.full((studies, arms, 1), SD if spread == "equal" else SD / 3)
    if spread == "quiet baseline":
        sd *= 10
    if spread in ("loud baseline", "quiet baseline"):
        sd[:, 0] *= 0.1 if spread == "quiet baseline" else 10
    if spread == "loud arm":
        sd[:, 1] *= 10
    return sd


def simulate(noise: Noise, studies: int, arms: int, seeds: int, rng: Generator) -> Floats:
    """Accuracies of arms that are equally good, shaped ``(studies, arms, seeds)``.

    A seed's effect is common to all arms; arm 0 is the baseline.
    """
    counting = UNDECIDED / 4 / EXAMPLES**2 if noise.counted else 0.0
    scale = math.sqrt(1 - counting / SD**2)  # of the training noise
    shared = scale * math.sqrt(SEED_SHARE) * SD * rng.standard_normal((studies, 1, seeds))
    own = scale * math.sqrt(1 - SEED_SHARE) * _spread(noise.spread, studies, arms, rng)
    accuracy = ACCURACY + shared + own * noise.draw(rng, (studies, arms, seeds))
    if noise.collapses:
        accuracy -= (rng.random(accuracy.shape) < COLLAPSES) * rng.uniform(*COLLAPSE, accuracy.shape)
    if not noise.counted:
        return np.asarray(accuracy)
    decided = EXAMPLES - UNDECIDED
    chance = np.clip((accuracy * EXAMPLES - decided) / UNDECIDED, 0, 1)
    return np.asarray((decided + rng.binomial(UNDECIDED, chance)) / EXAMPLES)
