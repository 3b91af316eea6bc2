"""Two results of one study, trained for it, become one: what is taken over, and what is refused by its name."""

import dataclasses
import json
import shutil

import pytest

import servers
import studies.trial.trial
import tiny
from studies.data import DATASETS
from studies.findings.findings import find
from studies.findings.merging import MergeError, joined
from studies.findings.parts import part_of
from studies.findings.tables import runs_frame, write_tables
from studies.ledger.folder import ResultsFolder
from studies.ledger.portable import Adopted, adopt, notes_of
from studies.running.effort import FULL
from studies.running.processes import ProcessExecutor
from studies.running.runner import Runner
from studies.trial.trial import run_trial

BASE, RECIPE = tiny.MODEL, tiny.RECIPE.replace(batch_size=128)


def plan_of(*seeds, factors=None, **recipe):
    made = tiny.plan(factors or {"pooling": ("cls", "mean")}, base=BASE, recipe=RECIPE.replace(**recipe))
    return dataclasses.replace(made, seeds=list(seeds))


@pytest.fixture(scope="module")
def trained(small_mnist):
    """What seeds 0 to 3 of both arms make of 512 images."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(studies.trial.trial, "load", lambda name: small_mnist)
        return {t.content_hash: run_trial(t.setup, t.seed, "cpu").record for t in plan_of(0, 1, 2, 3).trials}


def study(folder, plan, trained, server=None):
    ledger = ResultsFolder(folder, server).ledger(create=True)
    facts = {"command": "vit-ablate run tiny", "machine": {"cpu": f"Abacus {folder.name}"}, "driver": folder.name}
    found = [Adopted(trial, trained.get(trial.content_hash, {"val_accuracy": 0.5})) for trial in plan.trials]
    adopt(ledger, {"runs": [facts], "provenance": facts}, found)
    ledger.plan = plan
    ledger.add_measurement({cell.content_hash: tiny.measured(0) for cell in plan.runnable})
    return ledger


@pytest.fixture
def a(tmp_path, trained):
    return study(tmp_path / "a", plan_of(0, 1), trained)


@pytest.fixture(scope="module")
def server():
    with servers.postgres() as running:
        yield running


@pytest.fixture
def b(tmp_path, trained):
    return study(tmp_path / "b", plan_of(2, 3), trained)


def without_storage(ledger, declared=True):
    """As published: tables alone, and beside them what was declared, if the version kept that."""
    home, plan = tiny.home(ledger), ledger.plan
    runs = runs_frame(ledger, plan)
    write_tables(home.path, runs, runs[:0], runs[:0])
    if declared:
        home.notes.write_text(json.dumps(notes_of(ledger)))
    else:
        home.provenance.write_text('{"cpu": "Abacus b"}')
    home.storage.unlink()
    return home


def merged(*words):
    return tiny.vit_ablate("merge", *map(str, words))


def test_a_colleagues_seeds_join_and_the_study_goes_on(a, b, trained, tmp_path, monkeypatch, capsys):
    other = tiny.home(b).path
    assert merged(tmp_path / "a", other) == 0
    assert "4 trials of" in capsys.readouterr().out
    assert tiny.outcomes(a) == {name: tiny.decided(record) for name, record in trained.items()}
    found = find(a)
    assert dict(found.cells.set_index("cell")["n"]) == {"cls": 4, "mean": 4}
    assert found.provenance["merged"] == f"4 trials from {other}"
    assert found.provenance["cpu"] == "Abacus b, Abacus a"
    assert tiny.home(a).page.exists()
    monkeypatch.setattr(ProcessExecutor, "submit", lambda *_: pytest.fail("a worker was asked"))
    progress = Runner(plan_of(0, 1, 2, 3), a, tiny.home(a), ProcessExecutor(1), FULL).run()
    assert (progress.complete, progress.waiting) == (8, 0)


@pytest.mark.parametrize("declared", [True, False])
def test_tables_alone_are_joined_as_a_storage_is(a, b, declared, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("studies.cli.doing.merging.show", lambda *_: None)  # as above
    without_storage(b, declared)
    assert merged(tmp_path / "a", tmp_path / "b") == 0
    assert tiny.outcomes(a) == {name: tiny.decided(record) for name, record in trained.items()}
    assert [run["machine"]["cpu"] for run in a.notes("runs")] == ["Abacus b", "Abacus a"]
    assert [run["driver"] for run in a.notes("runs")] == ["elsewhere", "a"]


def test_both_are_written_to_a_third_and_stay_as_they_are(a, b, trained, tmp_path, monkeypatch):
    before = {ledger: tiny.home(ledger).storage.read_bytes() for ledger in (a, b)}
    (tmp_path / "b/weights").mkdir()
    (tmp_path / "b/weights/mean.safetensors").write_bytes(b"weights")
    monkeypatch.setattr("studies.cli.doing.merging.show", lambda *_: None)  # as above
    assert merged(tmp_path / "a", tmp_path / "b", "--to", tmp_path / "joined") == 0
    home = ResultsFolder(tmp_path / "joined" / "tiny-mnist-cpu")
    ledger = home.ledger()
    assert tiny.outcomes(ledger) == {name: tiny.decided(record) for name, record in trained.items()}
    assert ledger.plan == plan_of(0, 1, 2, 3)
    assert ledger.measurement == a.measurement
    assert home.weights("mean").read_bytes() == b"weights"
    assert {ledger: tiny.home(ledger).storage.read_bytes() for ledger in (a, b)} == before
    assert merged(tmp_path / "a", tmp_path / "b", "--to", tmp_path / "joined") == 2  # it holds a study
    assert merged(tmp_path / "a", tmp_path / "a") == 2


def test_a_trial_of_both_counts_once_if_it_is_equal_and_is_refused_if_not(a, tmp_path, trained):
    same = study(tmp_path / "same", plan_of(1, 2), trained)
    joint = joined(*(part_of(tiny.home(ledger)) for ledger in (a, same)))
    assert (joint.equal, len(joint.ours), len(joint.theirs)) == (2, 4, 2)
    assert joint.plan.seeds == [0, 1, 2]
    swapped = {trial.content_hash: trained[plan_of(3).trials[0].content_hash] for trial in plan_of(1).trials}
    other = study(tmp_path / "other", plan_of(1, 2), trained | swapped)
    before = a.history()
    with pytest.raises(MergeError, match=r"cls seed 1 \(and 1 more\) has two results, .*nobody may choose.*--first-se"):
        joined(*(part_of(tiny.home(ledger)) for ledger in (a, other)))
    assert merged(tmp_path / "a", tmp_path / "other") == 2
    assert a.history() == before


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"learning_rate": 0.02}, r"learning_rate 0.01 in A, 0.02 in B \(every arm\)"),
        ({"factors": {"pooling": ("cls", "mean", "map")}}, "arms only in B: map"),
        ({"baseline": "mean"}, "baseline cls in A, mean in B"),
    ],
)
def test_another_recipe_or_design_is_refused_and_named(a, tmp_path, changes, named):
    baseline = changes.pop("baseline", "cls")
    other = study(tmp_path / "other", dataclasses.replace(plan_of(2, **changes), baseline=baseline), {})
    with pytest.raises(MergeError, match=rf"no results of one study: .*{named}"):
        joined(part_of(tiny.home(a)), part_of(tiny.home(other)))


def test_tables_alone_of_another_recipe_are_refused_too(a, tmp_path, trained, capsys):
    plan = plan_of(2, learning_rate=0.02)
    alike = {t.content_hash: trained[s.content_hash] for t, s in zip(plan.trials, plan_of(2).trials, strict=True)}
    records = {name: record | {"learning_rate": 0.02} for name, record in alike.items()}
    without_storage(study(tmp_path / "other", plan, records), declared=False)
    assert merged(tmp_path / "a", tmp_path / "other") == 2
    assert "cls has learning_rate 0.02 there, 0.01 here" in capsys.readouterr().err


def test_other_data_are_refused(a, tmp_path, monkeypatch):
    assert "fashion-mnist" in DATASETS
    plan = dataclasses.replace(plan_of(2), dataset="fashion-mnist")
    cells = [dataclasses.replace(c, setup=dataclasses.replace(c.setup, dataset="fashion-mnist")) for c in plan.cells]
    other = study(tmp_path / "other", dataclasses.replace(plan, cells=cells), {})
    with pytest.raises(MergeError, match=r"dataset mnist in A, fashion-mnist in B \(every arm\)"):
        joined(part_of(tiny.home(a)), part_of(tiny.home(other)))


def test_other_arithmetic_is_refused_unless_allowed(a, tmp_path, trained):
    theirs = {name: record | {"dtype": "bfloat16"} for name, record in trained.items()}
    other = study(tmp_path / "other", plan_of(2), theirs)
    parts = [part_of(tiny.home(ledger)) for ledger in (a, other)]
    with pytest.raises(MergeError, match=r"cls was computed in dtype .* in A, dtype bfloat16.* in B: .*--allow-mixed"):
        joined(*parts)
    assert len(joined(*parts, allow_mixed=True).theirs) == 2


def test_what_runs_is_waited_for_and_two_without_a_declaration_are_refused(a, b, tmp_path):
    entry = b.enqueue(plan_of(9).trials[0])
    b.claim(entry)
    with pytest.raises(MergeError, match=r"b has 1 trial running: merge when"):
        joined(part_of(tiny.home(a)), part_of(tiny.home(b)))
    b.interrupt(entry)
    for ledger in (a, b):
        without_storage(ledger, declared=False)
    assert merged(tmp_path / "a", tmp_path / "b") == 2  # A has no storage
    assert merged(tmp_path / "a", tmp_path / "b", "--to", tmp_path / "c") == 2
    shutil.rmtree(tmp_path / "a")
    assert merged(tmp_path / "a", tmp_path / "b") == 2


@pytest.mark.parametrize(("ours", "theirs"), [("server", "server"), ("server", "folder"), ("folder", "server")])
@pytest.mark.parametrize("to", [False, True])
def test_studies_on_a_server_are_joined_as_folders_are(server, ours, theirs, to, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("studies.cli.doing.merging.show", lambda *_: None)  # as above
    url = server.database().render_as_string(hide_password=False)
    urls = {"server": url, "folder": None}
    a = study(tmp_path / "alpha", plan_of(0, 1), trained, urls[ours])
    b = study(tmp_path / "beta", plan_of(2, 3), trained, urls[theirs])
    before = (a.history(), b.history())
    words = ["alpha", "beta", "--results", tmp_path, "--storage", url]
    for place, name in ((ours, 0), (theirs, 1)):
        words[name] = words[name] if place == "server" else tmp_path / words[name]
    assert merged(*words, *(("--to", tmp_path / "joined") if to else ())) == 0
    whole = ResultsFolder(tmp_path / "joined" / "tiny-mnist-cpu").ledger() if to else a
    assert tiny.outcomes(whole) == {name: tiny.decided(record) for name, record in trained.items()}
    assert whole.plan.seeds == [0, 1, 2, 3]
    assert b.history() == before[1]
    assert (a.history() == before[0]) is to
