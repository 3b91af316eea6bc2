"""What the choice of test images adds to the error of a difference."""

from __future__ import annotations

import math

import numpy as np
import pytest

from studies.statistics.images import MOST_SEEDS, image_error, over_images
from studies.statistics.images_calibration import calibrate_images


def outcomes(seeds=4, images=300, taste=0.2, seed=0):
    """Two arms that find some images differently difficult."""
    rng = np.random.default_rng(seed)
    chance = 0.8 + taste * rng.uniform(-1, 1, (2, 1, images))
    return rng.random((2, seeds, images)) < chance


def test_by_hand():
    # differences by seed and image: (1, 0, 0) and (1, 0, -1)
    a, b = [[1, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 0, 1]]
    # image means 1, 0, -1/2: variance 7/12; seed means 1/3, 0; grand mean 1/6
    # squares of what neither explains: 3 - 6/36 - 2*2*(7/12) - 3*1*(1/18) = 1/3, over 2 degrees of freedom
    assert image_error(a, b) == pytest.approx(math.sqrt((7 / 12 - (1 / 6) / 2) / 3))


def test_the_components_are_those_of_the_analysis_of_variance():
    """Mean squares of a two-way table without replication (Searle, Casella and McCulloch 1992, section 4.3)."""
    import pandas as pd
    from statsmodels.api import stats as sm_stats
    from statsmodels.formula.api import ols

    a, b = outcomes(seeds=3, images=40)
    apart = a.astype(int) - b.astype(int)
    seed, image = np.indices(apart.shape)
    frame = pd.DataFrame({"y": apart.ravel(), "seed": seed.ravel(), "image": image.ravel()})
    table = sm_stats.anova_lm(ols("y ~ C(seed) + C(image)", frame).fit())
    between = (table["mean_sq"]["C(image)"] - table["mean_sq"]["Residual"]) / 3
    assert between > 0
    assert image_error(a, b) == pytest.approx(math.sqrt(between / 40))


def test_images_that_agree_add_nothing():
    same = np.ones((3, 50), dtype=bool)
    assert image_error(same, same) == 0.0
    assert image_error(same, ~same) == 0.0  # every image says the same


def test_luck_alone_adds_next_to_nothing():
    alike, unlike = (np.mean([image_error(*outcomes(taste=t, seed=s)) for s in range(20)]) for t in (0.0, 0.2))
    assert alike < unlike / 3


def test_swapping_the_arms_and_the_order_of_images_do_not_matter():
    a, b = outcomes()
    order = np.random.default_rng(1).permutation(a.shape[1])
    assert image_error(a, b) == pytest.approx(image_error(b, a))
    assert image_error(a, b) == pytest.approx(image_error(a[::-1, order], b[::-1, order]))


def test_few_seeds_are_enough():
    a, b = outcomes(seeds=MOST_SEEDS + 5)
    assert image_error(a, b) == image_error(a[:MOST_SEEDS], b[:MOST_SEEDS])


def test_one_seed_or_one_image_tells_nothing():
    a, b = outcomes()
    assert math.isnan(image_error(a[:1], b[:1]))
    assert math.isnan(image_error(a[:, :1], b[:, :1]))
    with pytest.raises(ValueError, match=r"a \(4, 300\) and b \(3, 300\)"):
        image_error(a, b[:3])


def test_without_images_the_error_is_that_of_seeds():
    one = np.array([0.5])
    found = over_images(one, one, np.array([4.0]), np.zeros(1), np.array([5]))
    assert (found.error[0], found.df[0]) == (0.5, 4.0)
    wide = over_images(one, one, np.array([4.0]), np.array([1.2]), np.array([5]))
    assert wide.error[0] == pytest.approx(1.3)
    assert wide.df[0] == pytest.approx(4 * 2.6**4)
    assert np.isnan(over_images(one, one, np.array([np.nan]), one, np.array([1])).df[0])


def test_the_interval_over_images_holds_where_that_of_seeds_does_not():
    table = calibrate_images(200)
    required = table[table["required"]]
    assert len(required) == 6
    assert required["passed"].all(), required
    alone = table[(table["rule"] == "seeds alone") & (table["quantity"] == "coverage, new images")]
    assert (alone["observed"] < 0.9).any()
