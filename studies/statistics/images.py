"""From this test set to new images of its kind: what the choice of images adds to the error of a difference.

Seeds and images are crossed: every trained model of an arm sees every image. The variance of a mean over both has a
part of seeds, one of images and one of their meeting (Owen 2007, The pigeonhole bootstrap; Searle, Casella and
McCulloch 1992, chapter 4). The part of seeds is the error that the verdict rests on; this file adds that of images.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studies.statistics.moderated import Differences
from studies.statistics.paired_tests import Floats

MOST_SEEDS = 20
"""Models of an arm that are looked at: the part of images is known well from few."""


def image_error(a: ArrayLike, b: ArrayLike) -> float:
    """The standard error that the choice of images adds to the mean of a - b; NaN below two seeds or two images.

    Args:
        a: whether each image was right, shaped ``(seeds, images)``, 0 and 1.
        b: of the other arm, the same seeds and images.

    Raises:
        ValueError: two shapes.
    """
    left, right = np.asarray(a, dtype=np.int8), np.asarray(b, dtype=np.int8)
    if left.ndim != 2 or left.shape != right.shape:
        raise ValueError(f"a {left.shape} and b {right.shape} must both be shaped (seeds, images)")
    apart = (left - right)[:MOST_SEEDS]
    seeds, images = apart.shape
    if seeds < 2 or images < 2:
        return math.nan
    by_image = apart.mean(axis=0)
    by_seed = apart.mean(axis=1)
    between = by_image.var(ddof=1)
    squares = float(np.count_nonzero(apart)) - images * seeds * by_image.mean() ** 2
    rest = squares - seeds * (images - 1) * between - images * (seeds - 1) * by_seed.var(ddof=1)
    meeting = max(0.0, rest) / ((seeds - 1) * (images - 1))
    return math.sqrt(max(0.0, between - meeting / seeds) / images)


def over_images(difference: Floats, error: Floats, df: Floats, image_error: Floats, n: NDArray[np.int_]) -> Differences:
    """Differences whose error speaks of new seeds and of new images; all shaped ``(contrasts,)``.

    The images' part is known from thousands, so that its degrees of freedom are without end.
    """
    total = np.sqrt(error**2 + image_error**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = np.where(error > 0, df * (total / error) ** 4, 1e9)
    return Differences(difference, total, np.where(np.isfinite(df), worth, np.nan), n)
