"""Our trials, seen by Optuna itself: whoever opens the storage with plain Optuna finds parameters and values."""

import sqlite3
import warnings
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

import tiny
from studies.design.plan import Plan
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.ledger.space import grown, number_of, params_of
from studies.training.recipe import Recipe

CURVE = [0.25, 0.5, 0.75]


@pytest.fixture
def ledger(place):
    return place.ledger(create=True)


def finish(ledger: Ledger, plan: Plan) -> None:
    for i, entry in enumerate(ledger.enqueue_all(plan.trials)):
        if ledger.claim(entry):
            curve = [{"epoch": n + 1, "val_accuracy": value} for n, value in enumerate(CURVE)]
            ledger.complete(entry, {"val_accuracy": 0.8 + i / 100, "curve": curve})


def opened(ledger: Ledger) -> optuna.Study:
    """As another program opens it."""
    return optuna.load_study(study_name=None, storage=ledger._engine.url.render_as_string(hide_password=False))


def test_a_trial_has_its_factors_recipe_and_seed_as_parameters(ledger):
    plan = tiny.plan(
        {"pooling": ("cls", "mean"), "patch_size": (14, (14, 28))}, base=tiny.MODEL.replace(chunking="tiles")
    )
    ledger.plan = plan
    finish(ledger, plan)
    for trial, ours in zip(opened(ledger).trials, plan.trials, strict=True):
        assert trial.params == params_of(ours)
        assert trial.params.keys() == {*Recipe.__dataclass_fields__, "pooling", "patch_size", "seed"}
        assert (trial.params["epochs"], trial.params["compile"]) == (1, "auto")
    assert {trial.params["patch_size"] for trial in opened(ledger).trials} == {14, "14x28"}


def test_a_finished_trial_has_value_curve_and_duration(ledger):
    plan = tiny.plan({"pooling": ("cls", "mean")})
    finish(ledger, plan)
    waiting = ledger.enqueue(tiny.plan({"pooling": ("map",)}, base=tiny.MODEL.replace(pooling="map")).trials[0])
    study = opened(ledger)
    *done, last = study.trials
    assert (study.metric_names, study.best_value) == (["val_accuracy"], 0.8 + 3 / 100)
    assert [trial.number for trial in study.trials] == [0, 1, 2, 3, 4]
    for trial in done:
        assert trial.state == TrialState.COMPLETE
        assert trial.intermediate_values == dict(enumerate(CURVE, 1))
        assert trial.duration.total_seconds() >= 0
    assert (last.state, last._trial_id, last.duration) == (TrialState.WAITING, waiting.trial_id, None)


def test_frames_and_importances_come_out(ledger):
    plan = tiny.plan({"pooling": ("cls", "mean"), "learning_rate": (0.01, 0.02)}, seeds=4)
    ledger.plan = plan
    finish(ledger, plan)
    study = opened(ledger)
    frame = study.trials_dataframe()
    assert set(frame["params_pooling"]) == {"cls", "mean"}
    assert frame["value_val_accuracy"].tolist() == [0.8 + i / 100 for i in range(16)]
    importances = optuna.importance.get_param_importances(study)
    assert importances.keys() >= {"pooling", "learning_rate", "seed"}
    assert importances["seed"] > importances["pooling"]


def test_optuna_draws_them(ledger):
    plan = tiny.plan({"pooling": ("cls", "mean"), "learning_rate": (0.01, 0.02)}, seeds=2)
    finish(ledger, plan)
    study = opened(ledger)
    views = optuna.visualization.matplotlib
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(views.plot_slice(study, params=["pooling", "seed"])) == 2
        assert views.plot_contour(study, params=["learning_rate", "seed"]).get_xlabel() == "learning_rate"
        assert len(views.plot_optimization_history(study).get_legend().get_texts()) == 2
        assert len(views.plot_timeline(study).patches) == len(plan.trials)
        views.plot_edf(study)
        views.plot_rank(study, params=["pooling", "learning_rate"])
        assert len(views.plot_intermediate_values(study).get_lines()) == len(plan.trials)
        views.plot_param_importances(study)
        views.plot_parallel_coordinate(study, params=["pooling", "learning_rate"])


def test_a_level_more_is_no_clash_and_old_trials_have_room_for_it(ledger):
    """Optuna itself refuses a trial whose choices are others than those of the first."""
    before, after = tiny.plan({"pooling": ("mean", "cls")}), tiny.plan({"pooling": ("map", "mean", "cls")}, seeds=4)
    for plan in (before, after):
        ledger.plan = plan
        finish(ledger, plan)
    trials = opened(ledger).trials
    assert len(trials) == 12
    assert {trial.distributions["pooling"] for trial in trials} == {CategoricalDistribution(("mean", "cls", "map"))}
    assert {trial.distributions["seed"] for trial in trials} == {IntDistribution(0, 3)}
    by_hash = {trial.user_attrs["hash"]: trial.params for trial in trials}
    assert by_hash == {trial.content_hash: params_of(trial) for trial in after.trials}
    assert "pooling" in optuna.importance.get_param_importances(opened(ledger))


def test_a_number_that_becomes_a_factor_keeps_its_value(ledger):
    finish(ledger, tiny.plan({}, seeds=1))
    finish(ledger, tiny.plan({"learning_rate": (0.001, 0.01)}, seeds=2))
    trials = opened(ledger).trials
    assert {trial.distributions["learning_rate"] for trial in trials} == {CategoricalDistribution((0.01, 0.001))}
    assert [trial.params["learning_rate"] for trial in trials] == [0.01, 0.001, 0.001, 0.01]


def test_a_retry_has_the_parameters_of_the_first_attempt(ledger):
    trial = tiny.plan({"pooling": ("cls", "mean")}).trials[0]
    entry = ledger.enqueue(trial)
    ledger.claim(entry)
    ledger.fail(entry, "DivergedError: NaN", {"curve": [{"epoch": 1, "val_accuracy": 0.1}]})
    again = ledger.retry(entry)
    assert ledger.retry(entry) == again
    first, second = opened(ledger).trials
    assert (first.params, first.state, first.intermediate_values) == (params_of(trial), TrialState.FAIL, {1: 0.1})
    assert (second.params, second.state, second.number) == (params_of(trial), TrialState.WAITING, 1)


def test_trials_of_an_older_format_get_their_parameters(tmp_path):
    folder = ResultsFolder(tmp_path / "study")
    folder.path.mkdir()
    with sqlite3.connect(folder.storage) as connection:
        connection.executescript(Path(__file__).with_name("format-1.sql").read_text())
    connection.close()
    plan = tiny.plan({"pooling": ("cls", "mean")})
    ledger = folder.ledger(create=True)
    before = ledger.entries()
    for _ in range(2):
        ledger.plan = plan
    assert ledger.entries() == before
    study = opened(ledger)
    assert [trial.params for trial in study.trials] == [params_of(trial) for trial in plan.trials]
    assert study.metric_names == ["val_accuracy"]


@pytest.mark.parametrize(
    ("known", "values", "factor", "wider"),
    [
        (None, [1, 2], True, CategoricalDistribution((1, 2))),
        (None, [2, 1, 1], False, IntDistribution(1, 2)),
        (None, [1, 0.5], False, FloatDistribution(0.5, 1)),
        (IntDistribution(1, 2), [5], False, IntDistribution(1, 5)),
        (IntDistribution(1, 2), [1.5], False, FloatDistribution(1, 2)),
        (None, [None, "a", None], False, CategoricalDistribution((None, "a"))),
        (None, [True, 1], True, CategoricalDistribution((True, 1))),
        (CategoricalDistribution(("a",)), ["b", "a"], False, CategoricalDistribution(("a", "b"))),
    ],
)
def test_ranges_grow(known, values, factor, wider):
    found = grown("x", known, values, factor)
    assert (found, type(found)) == (wider, type(wider))
    assert [wider.to_external_repr(number_of(value, wider)) for value in values] == values


def test_a_learning_rate_is_seen_on_a_logarithmic_axis():
    assert grown("learning_rate", None, [0.1, 0.01], factor=False) == FloatDistribution(0.01, 0.1, log=True)
    assert grown("learning_rate", None, [0.0, 0.01], factor=False) == FloatDistribution(0.0, 0.01)
