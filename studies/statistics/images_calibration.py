"""Proof that the interval over seeds and images holds for new images: simulated models, seeds and images."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.random import Generator
from scipy import special

from studies.statistics.calibration import ALPHA, COLUMNS, row
from studies.statistics.images import image_error, over_images
from studies.statistics.moderated import compare
from studies.statistics.squeeze import Floats

SEEDS = (3, 5, 10)
IMAGES = 500
ARMS = 4
DIFFICULTY = 2.0  # standard deviation of an image's difficulty, in logits
ABILITY = 3.0  # at which about nine of ten images are right
TASTE = 0.7  # how differently two arms find the same image difficult
LUCK = 0.1  # of a seed


def calibrate_images(studies: int = 2_000, seed: int = 0) -> pd.DataFrame:
    """Rows like those of `calibration.calibrate`: equal arms on new seeds and new images every time.

    ``images`` is the rule that adds the images' part to the error. ``seeds alone`` speaks of one set of images, and
    here shows what it would claim of new ones.
    """
    rows = []
    for n in SEEDS:
        rng = np.random.default_rng([seed, n])
        found = [_study(n, rng) for _ in range(studies)]
        for rule in ("images", "seeds alone"):
            for quantity in ("false difference, new images", "coverage, new images"):
                hits = np.array([study[rule, quantity] for study in found], dtype=np.float64)
                told = row(rule, quantity, hits, promised=True)
                told["required"] = rule == "images"
                rows.append({"noise": "images", "arms": ARMS, "seeds": n, **told})
    return pd.DataFrame(rows, columns=COLUMNS)


def _study(seeds: int, rng: Generator) -> dict[tuple[str, str], float]:
    """Whether a family of equal arms holds a claim, and the share of intervals that hold 0, by rule."""
    right = _outcomes(seeds, rng)
    found = compare(right.mean(axis=-1))
    extra = np.array([image_error(right[arm], right[0]) for arm in range(1, ARMS)])
    rules = {
        "images": over_images(found.difference, found.error, found.df, extra, found.n),
        "seeds alone": found,
    }
    hits: dict[tuple[str, str], float] = {}
    for rule, told in rules.items():
        low, high = told.interval(ALPHA)
        hits[rule, "false difference, new images"] = float(told.p().min() <= ALPHA / (ARMS - 1))
        hits[rule, "coverage, new images"] = float(((low <= 0) & (high >= 0)).mean())
    return hits


def _outcomes(seeds: int, rng: Generator) -> Floats:
    """Whether a model of an arm and seed gets an image right ``(arms, seeds, images)``; all arms are equal."""
    difficulty = DIFFICULTY * rng.standard_normal(IMAGES)
    taste = TASTE * rng.standard_normal((ARMS, 1, IMAGES))
    luck = LUCK * rng.standard_normal((ARMS, seeds, 1))
    chance = special.expit(ABILITY + luck + taste - difficulty)
    return np.asarray(rng.random(chance.shape) < chance, dtype=np.float64)
