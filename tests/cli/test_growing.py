"""Studies that grow: until their arms are decided, or as long as a budget lasts."""

import dataclasses
import math
import re
from concurrent.futures import Future
from types import SimpleNamespace

import numpy as np
import pytest

import studies.running.runner
import tiny
from studies.cli import known as known_names
from studies.cli.doing import foreseeing, growing
from studies.cli.doing.growing import Budget, InRounds, UntilDecided
from studies.cli.options import Growing
from studies.design.study import STUDIES
from studies.findings.looks import NOTE, PLANNED
from studies.ledger.folder import ResultsFolder
from studies.running.runner import Runner
from studies.statistics.looks import LOOKS
from studies.trial.record import Outcome
from vit import POOLINGS

TRUTH = {"cls": 0.900, "mean": 0.860, "map": 0.902}
"""``mean`` is decided at the first look; ``map`` differs by as much as does not matter, and stays open."""
SPREAD = 0.006


class AtOnce:
    """A ``TrialExecutor`` that has run everything before it is asked again."""

    slots = 1
    worker_died = RuntimeError
    sight_lost, commits = (), False

    def submit(self, fn, /, *args):
        done = Future()
        done.set_result(fn(*args))
        return done

    def kill(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def known(setup, seed, *_):
    """What training would have found."""
    name = setup.config.pooling
    noise = np.random.default_rng([seed, len(name), ord(name[-1])]).normal(0, SPREAD)
    accuracy = TRUTH[name] + noise
    return Outcome(tiny.scored(0) | {"val_accuracy": accuracy, "test_accuracy": accuracy})


class Study:
    """Three arms whose truth is known, in a ledger of their own."""

    def __init__(self, folder, seeds):
        self.plan = tiny.plan({"pooling": ("cls", "mean", "map")}, seeds=seeds)
        self.folder = ResultsFolder(folder)
        self.ledger = self.folder.ledger(create=True)
        self.ledger.add_measurement({cell.content_hash: tiny.measured(1) for cell in self.plan.cells})

    def run(self, grow):
        Runner(self.plan, self.ledger, self.folder, AtOnce(), tiny.BRIEFLY, grow=grow).run()
        return self.seeds

    def until_decided(self, looks, seconds=math.inf):
        return self.run(UntilDecided(self.ledger, self.plan, looks, Budget(seconds)))

    @property
    def seeds(self):
        """Complete seeds by arm."""
        names = {cell.content_hash: cell.name for cell in self.plan.cells}
        found = {name: [] for name in names.values()}
        for entry in self.ledger.entries().values():
            assert entry.state == "complete"
            found[names[entry.cell_hash]].append(entry.seed)
        return {name: len(seeds) for name, seeds in found.items() if sorted(seeds) == list(range(len(seeds)))}


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    monkeypatch.setattr(studies.running.runner, "run_trial", known)


def test_decided_arms_get_no_new_seeds_and_the_baseline_always_does(tmp_path, capsys):
    study = Study(tmp_path, 5)
    assert study.until_decided([5, 8, 10]) == {"cls": 10, "mean": 5, "map": 10}
    said = capsys.readouterr().out.splitlines()
    assert said == [f"look at {n} seeds: 1 of 2 arms decided" for n in (5, 8, 10)]


def test_the_ledger_keeps_every_look(tmp_path):
    study = Study(tmp_path, 5)
    study.until_decided([5, 8, 10])
    kept = study.ledger.notes(NOTE)
    assert [one["seeds"] for one in kept] == [
        {"cls": "0-4", "mean": "0-4", "map": "0-4"},
        {"cls": "0-7", "mean": "0-4", "map": "0-7"},
        {"cls": "0-9", "mean": "0-4", "map": "0-9"},
    ]
    spent = [one["spent"] for one in kept]
    assert spent == sorted(spent)
    assert spent[-1] < 1


def test_it_ends_by_itself_once_all_are_decided(tmp_path, monkeypatch):
    monkeypatch.setitem(TRUTH, "map", 0.95)
    study = Study(tmp_path, 5)
    assert study.until_decided([5, 8, 30]) == {"cls": 5, "mean": 5, "map": 5}
    assert len(study.ledger.notes(NOTE)) == 1


def test_planned_looks_spend_all_of_the_error_by_the_last(tmp_path):
    study = Study(tmp_path, 5)
    growing.note_plan(study.ledger, 10, once=False)
    study.until_decided([5, 8, 10])
    assert [one["spent"] for one in study.ledger.notes(NOTE)] == pytest.approx([0.5, 0.8, 1.0])


def test_the_same_command_goes_on_after_a_stop(tmp_path):
    study = Study(tmp_path, 5)
    study.run(lambda: None)  # stopped before the first look
    assert study.until_decided([5, 8]) == {"cls": 8, "mean": 5, "map": 8}
    assert study.until_decided([5, 8]) == {"cls": 8, "mean": 5, "map": 8}
    assert len(study.ledger.notes(NOTE)) == 2


def test_a_budget_ends_it_before_a_block_that_would_take_too_long(tmp_path, capsys):
    study = Study(tmp_path, 5)
    assert study.until_decided([5, 8, 10], seconds=1e-9) == {"cls": 5, "mean": 5, "map": 5}
    assert "the budget ends before 8 seeds; the same command goes on from here" in capsys.readouterr().out


def test_too_late_to_plan_is_said(tmp_path, capsys):
    study = Study(tmp_path, 5)
    study.until_decided([5])
    growing.note_plan(study.ledger, 8, once=True)
    assert "was looked at before" in capsys.readouterr().out
    assert study.ledger.notes(PLANNED) is None


def test_a_budget_runs_balanced_rounds_up_to_the_most(tmp_path):
    study = Study(tmp_path, 1)
    assert study.run(InRounds(study.plan, 4, Budget(math.inf))) == {"cls": 4, "mean": 4, "map": 4}


def test_a_budget_begins_no_round_that_would_end_later(tmp_path, monkeypatch):
    """Every round takes ten seconds: a third would end at 30."""
    now = iter((10.0, 20.0))
    monkeypatch.setattr(growing, "time", SimpleNamespace(monotonic=lambda: next(now)))
    study, budget = Study(tmp_path, 1), Budget(25.0, started=0.0, block_began=0.0)
    assert study.run(InRounds(study.plan, 30, budget)) == {"cls": 2, "mean": 2, "map": 2}


def test_a_budget_counts_the_time_gone_and_that_of_the_next_block(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(growing, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    budget = Budget(30.0, started=100.0, block_began=100.0)
    clock[0] = 110.0
    assert budget.lasts(2.0)  # 10 + 2 * 10 = 30
    clock[0] = 120.0
    assert not budget.lasts(1.1)  # 20 + 1.1 * 10


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30min", 1800), ("1.5h", 5400), (" 2 h ", 7200)])
def test_a_budget_is_a_time(text, seconds):
    assert Growing(budget=text).seconds == seconds
    assert Growing().seconds == math.inf


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--budget", "soon"], "--budget soon: write a time such as 90s"),
        (["--budget", "0s"], "--budget 0s: write a time such as 90s"),
        (["--budget", "90"], "--budget 90: write a time such as 90s"),
        (["--budget=-5min"], "--budget -5min: write a time such as 90s"),
        (["--until-decided", "--seeds", "3"], "leave --seeds 3 out"),
        (["--until-decided", "--look-once"], "leave --look-once out"),
        (["--max-seeds", "8"], "--max-seeds 8 goes with --until-decided or --budget"),
        (["--budget", "1h", "--look-once"], "leave one out"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_one_line_and_leaves_nothing(tmp_path, capsys, words, part):
    assert tiny.vit_ablate("run", "pooling", *words, "--results", str(tmp_path / "r")) == 2
    said = capsys.readouterr().err
    assert part in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_one_seed_is_no_end_of_looks(tmp_path, capsys):
    assert tiny.vit_ablate("run", "pooling", "--until-decided", "--max-seeds", "1", "--results", str(tmp_path)) == 2
    assert "greater than or equal to 2" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("most", "looks"), [(30, list(LOOKS)), (20, [5, 8, 12, 20]), (9, [5, 8, 9]), (3, [3])])
def test_the_last_look_is_at_the_most_seeds(most, looks):
    assert foreseeing.planned_looks(most) == looks


def test_plan_says_what_every_look_is_expected_to_cost(tmp_path, capsys):
    words = ["plan", "pooling", *tiny.settings(), "--device", "cpu", "--results", str(tmp_path)]
    assert tiny.vit_ablate(*words, "--until-decided", "--max-seeds", "12") == 0
    said = capsys.readouterr().out
    assert "until decided, at most 12 seeds, if half of the arms were 0.5 points away" in said
    found = re.findall(r"look at (\d+) seeds: (\d) of \d arms decided after (\d+) trials, about", said)
    assert [int(seeds) for seeds, _, _ in found] == [5, 8, 12]
    assert int(found[0][2]) == len(POOLINGS) * 5
    assert [int(n) for _, _, n in found] == sorted(int(n) for _, _, n in found)
    assert int(found[-1][2]) <= len(POOLINGS) * 12
    assert list(tmp_path.iterdir()) == []


def test_arms_that_a_search_will_find_are_assumed_where_only_the_baseline_is_known(capsys):
    assert tiny.vit_ablate("plan", "pareto", "--until-decided", "--max-seeds", "6") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "until decided, at most 6 seeds, if half of the arms were 0.5 points away" in said
    assert "of 8 arms decided" in said


def test_expectations_come_from_runs_of_the_same_arms(tmp_path):
    study = Study(tmp_path / "tiny-mnist-cpu", 5)
    study.run(lambda: None)
    runs = growing.runs_frame(study.ledger, study.plan)
    runs.to_csv(tmp_path / "tiny-mnist-cpu" / "runs.csv", index=False)
    differences, sd, source = foreseeing.known_differences(study.plan, tmp_path)
    assert differences == pytest.approx([0, -0.04, 0.002], abs=0.01)
    assert sd == pytest.approx([SPREAD] * 3, rel=0.8)
    assert source.name == "tiny-mnist-cpu"
    other = dataclasses.replace(study.plan, cells=tiny.plan({"depth": (1, 2)}).cells, baseline="1")
    assert foreseeing.known_differences(other, tmp_path) is None


def test_a_real_study_runs_until_it_is_decided_by_itself(tmp_path, capsys, monkeypatch):
    """Trained in worker processes: one arm learns, one does not, so one look decides."""
    monkeypatch.undo()
    made = tiny.study({"learning_rate": (0.01, 1e-6)}, name="rates")
    monkeypatch.setitem(STUDIES, "rates", made)
    monkeypatch.setattr(known_names, "check", lambda *_: None)
    monkeypatch.setattr("studies.cli.options.check", lambda *_: None)
    words = ["run", "rates", "--device", "cpu", "--workers", "2", "--results", str(tmp_path)]
    assert tiny.vit_ablate(*words, "--until-decided", "--max-seeds", "8") == 0
    said = capsys.readouterr().out
    assert "look at 5 seeds: 1 of 1 arm decided" in said
    assert "look at 8 seeds" not in said
    ledger = ResultsFolder(next(tmp_path.glob("rates*"))).ledger()
    assert tiny.states(ledger) == {"complete": 10}
    assert ledger.notes(PLANNED) == {"most": 8, "once": False}
