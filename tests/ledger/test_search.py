import pickle

import optuna
import pytest

from studies.design.settings import DesignError
from studies.design.space import Choice, Range
from studies.ledger.folder import ResultsFolder
from studies.ledger.found import searches
from studies.ledger.samplers import NEVER, RANDOM, TPE, Method, SearchError
from studies.ledger.search import Search
from studies.ledger.urls import embedded
from synthetic import careless

SPACE = {
    "learning_rate": Range(1e-3, 1e-1, log=True),
    "epochs": Range(1, 4),
    "patch_size": Choice((7, (7, 14))),
}
BEST = {"learning_rate": 0.02, "epochs": 2, "patch_size": (7, 14)}


@pytest.fixture(autouse=True)
def hurry():
    with careless():
        yield


def search(folder, method=None, space=None, objectives=None):
    ledger = ResultsFolder(folder).ledger(create=True)
    about = {"arm": "cls", "cell_hash": "c0ffee"}
    return Search(
        ledger, "tuning/cls", objectives or {"val_accuracy": "maximize"}, space or SPACE, method or Method(), about
    )


def curve(*values):
    return {"curve": [{"epoch": n, "val_accuracy": v} for n, v in enumerate(values, 1)]}


def test_optuna_itself_sees_a_study(tmp_path):
    made = search(tmp_path / "s", Method(RANDOM))
    first, *others = made.ask([0, 1, 2, 3], [BEST])
    assert first.settings == BEST
    made.complete(first, [0.9], curve(0.7, 0.9) | {"seed": 5})
    for i, found in enumerate(others[:2]):
        made.complete(found, [0.5 + i / 10], curve(0.4, 0.5 + i / 10))
    made.prune(others[2], curve(0.2))
    url = embedded(tmp_path / "s" / "study.db").render_as_string()
    (name,) = [n for n in optuna.get_all_study_names(url) if n.startswith("s/tuning/cls@")]
    study = optuna.load_study(study_name=name, storage=url)
    assert study.metric_names == ["val_accuracy"]
    assert study.best_params == {"learning_rate": 0.02, "epochs": 2, "patch_size": "7x14"}
    assert study.trials[0].intermediate_values == {1: 0.7, 2: 0.9}
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3 + ["PRUNED"]
    frame = study.trials_dataframe()
    assert {"params_learning_rate", "params_epochs", "params_patch_size", "duration"} <= set(frame)
    assert set(optuna.importance.get_param_importances(study)) == set(SPACE)
    ((about, trials),) = searches(ResultsFolder(tmp_path / "s").ledger())
    assert (about["arm"], trials[0].settings, trials[0].record["seed"]) == ("cls", BEST, 5)
    assert [one.state for one in trials] == ["complete"] * 3 + ["pruned"]


def test_a_study_of_ours_stays_the_first_of_its_file(tmp_path):
    search(tmp_path / "s")
    ledger = ResultsFolder(tmp_path / "s").ledger()
    assert ledger.entries() == {}
    ledger.note("plan", {"a": 1})
    assert ResultsFolder(tmp_path / "s").ledger().notes("plan") == {"a": 1}


def settings_of(folder, cut):
    """Of 8 places in two batches; interrupted after ``cut`` of the second."""
    made = search(folder)
    for found in made.ask([0, 1, 2, 3]):
        made.complete(found, [found.settings["learning_rate"]], {})
    batch = made.ask([4, 5, 6, 7])
    for found in batch[:cut]:
        made.complete(found, [0.5], {})
    return [found.settings for found in batch]


def test_what_was_interrupted_is_asked_again_in_its_place(tmp_path):
    asked = settings_of(tmp_path / "s", cut=2)
    again = search(tmp_path / "s").recover()
    assert [(found.place, found.settings) for found in again] == [(6, asked[2]), (7, asked[3])]
    made = search(tmp_path / "s")
    lost = [found for found in made.trials() if found.reason == "interrupted"]
    assert len(lost) == 2
    assert not any(found.over for found in lost)


def test_the_same_history_asks_the_same(tmp_path):
    assert settings_of(tmp_path / "one" / "s", 4) == settings_of(tmp_path / "two" / "s", 4)


def test_later_batches_draw_anew(tmp_path):
    made = search(tmp_path / "s", Method(RANDOM))
    rates = [found.settings["learning_rate"] for places in ([0, 1], [2, 3]) for found in made.ask(places)]
    assert len(set(rates)) == 4


def test_another_space_is_another_study(tmp_path):
    search(tmp_path / "s").ask([0])
    wider = search(tmp_path / "s", space={**SPACE, "patch_size": Choice((4, 7, (7, 14)))})
    assert wider.trials() == []
    wider.ask([0])


def test_a_worker_gives_up_by_what_was_over_when_it_began(tmp_path):
    made = search(tmp_path / "s")
    first = made.ask([0, 1, 2, 3])
    assert made.watch(first[0]) is not None
    for found, end in zip(first, (0.5, 0.6, 0.7, 0.8), strict=True):
        made.complete(found, [end], curve(end - 0.1, end))
    bad, good = made.ask([4, 5])
    watches = [pickle.loads(pickle.dumps(made.watch(found))) for found in (bad, good)]
    assert watches[0](1, 0.1)
    assert not watches[1](1, 0.9)


def test_nothing_is_watched_where_nothing_is_ever_pruned(tmp_path):
    made = search(tmp_path / "s", Method(TPE, NEVER))
    assert made.watch(made.ask([0])[0]) is None


def test_several_objectives_have_no_curves_but_all_values(tmp_path):
    made = search(tmp_path / "s", objectives={"val_accuracy": "maximize", "seconds": "minimize"})
    (found,) = made.ask([0])
    made.complete(found, [0.9, 3.0], curve(0.8, 0.9))
    assert made.trials()[0].values == [0.9, 3.0]


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (Method("TPE"), "--sampler TPE is no sampler of Optuna; write a class by its dotted name"),
        (Method("optuna.samplers.Nothing"), "no attribute 'Nothing'"),
        (Method("no.such.module.Sampler"), "No module named"),
        (Method("optuna.pruners.MedianPruner"), "is no sampler of Optuna"),
        (Method("optuna.samplers.GridSampler"), "can be made without arguments"),
        (Method(TPE, "optuna.samplers.TPESampler"), "--pruner optuna.samplers.TPESampler is no pruner"),
        (Method(TPE, "optuna.pruners.ThresholdPruner"), "can be made without arguments"),
        (Method(TPE, "os.system"), "is no pruner of Optuna"),
    ],
)
def test_what_is_no_sampler_or_pruner_is_refused_with_the_reason(method, said):
    with pytest.raises(SearchError, match=said):
        method.check(SPACE)


class Needy(optuna.samplers.RandomSampler):
    """Imports what it needs when it has seen a trial."""

    def sample_independent(self, study, trial, *rest):
        import no_such_package.inner  # noqa: F401


def test_a_package_that_is_missing_is_named_with_the_command_that_brings_it():
    said = "No module named 'no_such_package'; python3 -m pip install no_such_package brings it"
    with pytest.raises(SearchError, match=said):
        Method(f"{__name__}.Needy").check(SPACE)


def test_cma_es_samples_a_search_that_goes_on_as_it_would_have(tmp_path):
    space = {"learning_rate": SPACE["learning_rate"], "weight_decay": Range(1e-3, 1e-1, log=True)}
    method = Method("optuna.samplers.CmaEsSampler")
    settings = []
    for name, made_anew in (("whole", False), ("parts", True)):
        made = search(tmp_path / name / "s", method, space)
        for start in range(0, 12, 4):
            made = search(tmp_path / name / "s", method, space) if made_anew else made
            for found in made.ask(range(start, start + 4)):
                made.complete(found, [1 - abs(found.settings["learning_rate"] - 0.02)], curve(0.5))
        settings.append([found.settings for found in made.trials()])
        assert any(key.startswith("cma:") for trial in made.study.trials for key in trial.system_attrs)
    assert settings[0] == settings[1]


def test_samplers_of_optuna_can_be_named():
    for name in ("RandomSampler", "TPESampler", "QMCSampler", "CmaEsSampler"):
        Method(f"optuna.samplers.{name}", "optuna.pruners.MedianPruner").check(SPACE)
    with pytest.raises(SearchError, match="CmaEsSampler cannot search here"):
        Method("optuna.samplers.CmaEsSampler").check(SPACE, ("maximize", "minimize"))


def test_a_space_of_nothing_is_an_error_of_the_design():
    with pytest.raises(DesignError):
        Choice(())


def test_whoever_asks_for_searches_reads_no_other_trials(tmp_path, monkeypatch):
    search(tmp_path / "study")
    ledger, read = ResultsFolder(tmp_path / "study").ledger(), []
    every = ledger.storage.get_all_trials
    monkeypatch.setattr(ledger.storage, "get_all_trials", lambda id, *a, **k: read.append(id) or every(id, *a, **k))
    assert [about["arm"] for about, _ in searches(ledger)] == ["cls"]
    assert ledger.study_id not in read
