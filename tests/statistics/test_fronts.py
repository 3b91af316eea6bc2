import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume

from studies.statistics.fronts import hypervolume, hypervolume_history, most_covering, non_dominated, scaled


def test_who_is_dominated():
    losses = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.5, 0.5], [0.5, 0.5], [0.5, 0.6]])
    assert non_dominated(losses).tolist() == [True, True, False, True, True, False]


def test_hypervolume_by_hand():
    assert hypervolume(np.array([[0.0, 0.5], [0.5, 0.0]]), [1.0, 1.0]) == pytest.approx(0.75)
    assert hypervolume(np.array([[1.0, 0.0]]), [1.0, 1.0]) == 0.0
    assert hypervolume(np.array([[0.25, 0.5, 0.5]]), [1.0, 1.0, 1.0]) == pytest.approx(0.75 * 0.25)


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_hypervolume_is_that_of_optuna(objectives):
    draw = np.random.default_rng(objectives)
    for _ in range(5):
        losses = draw.uniform(0, 1.1, size=(25, objectives))
        reference = np.ones(objectives)
        inside = losses[(losses < 1).all(axis=1)]
        assert hypervolume(losses, reference) == pytest.approx(compute_hypervolume(inside, reference))


def test_history_never_falls():
    losses = np.random.default_rng(0).uniform(size=(20, 3))
    history = hypervolume_history(losses, np.ones(3))
    assert (np.diff(history) >= 0).all()
    assert history[-1] == pytest.approx(hypervolume(losses, np.ones(3)))


def test_few_of_many_keep_most_of_the_volume():
    losses = np.array([[0.5, 0.5], [0.1, 0.9], [0.9, 0.1], [0.51, 0.49], [0.9, 0.9]])
    assert most_covering(losses, [1.0, 1.0], 3)[0] in (0, 3)
    assert set(most_covering(losses, [1.0, 1.0], 3)) == {0, 1, 2} or set(most_covering(losses, [1, 1], 3)) == {3, 1, 2}
    assert sorted(most_covering(losses, [1.0, 1.0], 9)) == [0, 1, 2, 3]


def test_scales():
    values = np.array([[0.9, 1.0], [0.8, 100.0], [0.85, 10.0]])
    found = scaled(values, ["maximize", "minimize"], [False, True])
    assert np.allclose(found, [[0, 0], [1, 1], [0.5, 0.5]])
    assert scaled(values[:1], ["maximize", "minimize"], [False, True]).tolist() == [[0.0, 0.0]]
