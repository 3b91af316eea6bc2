"""The prior, against limma's own arithmetic in Python (pylimma 0.2.0)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from studies.statistics.squeeze import CERTAIN, fit_prior, trigamma_inverse

VARIANCE = np.array([0.8, 1.7, 0.3, 2.9, 1.1, 6.0, 0.05, 1.4])
# python -c "import numpy as np; from pylimma import squeeze_var as s
#   v = np.array([0.8, 1.7, 0.3, 2.9, 1.1, 6.0, 0.05, 1.4]); print(s(v, np.full(8, 4.0)))
#   print(s(v, np.array([4, 4, 3, 2, 4, 5, 4, 4.0]), legacy=True))"   (pylimma 0.2.0)
PYLIMMA = [
    (np.full(8, 4.0), 2.1088601159475058, 0.7052445309300004),
    (np.array([4, 4, 3, 2, 4, 5, 4, 4.0]), 2.2014615304657417, 0.7555676915338567),
]


@pytest.mark.parametrize(("df", "prior_df", "prior_variance"), PYLIMMA)
def test_the_prior_is_that_of_limma(df, prior_df, prior_variance):
    found = fit_prior(VARIANCE, df)
    assert found.df == pytest.approx(prior_df, rel=1e-9)
    assert found.variance == pytest.approx(prior_variance, rel=1e-9)


def test_arms_that_do_not_differ_have_one_variance():
    found = fit_prior(np.array([0.9, 1.1, 1.0, 1.05]), np.full(4, 9.0))
    assert found.df == CERTAIN
    assert found.variance == pytest.approx(1.0125)


def test_two_arms_tell_no_prior():
    assert fit_prior(np.array([1.0, 9.0]), np.full(2, 4.0)).df == 0


def test_an_arm_without_runs_has_no_vote():
    with_it = fit_prior(np.append(VARIANCE, 0.0), np.append(np.full(8, 4.0), 0.0))
    assert with_it.df == pytest.approx(fit_prior(VARIANCE, np.full(8, 4.0)).df)


def test_trigamma_inverse():
    x = np.logspace(-6, 6, 49)
    np.testing.assert_allclose(special.polygamma(1, trigamma_inverse(x)), x, rtol=1e-9)
