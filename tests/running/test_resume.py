"""A study whose processes are killed in the middle of trials goes on from checkpoints and ends with the same bits."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import studies.running.runner
import tiny
from studies.ledger.folder import ResultsFolder
from studies.running.progress import Observer
from studies.training.compute import has_cpp_compiler
from studies.trial.care import Care, Order
from studies.trial.trial import run_trial, run_trials

OFTEN = Care(every=0.0)
BASE = tiny.MODEL.replace(dropout=0.1)
RECIPE = tiny.RECIPE.replace(epochs=2, batch_size=500, max_translation=1)
DRIVER = """
import sys, pathlib, tiny, test_resume
pack = int(sys.argv[2])
tiny.run(test_resume.plan_of(pack), pathlib.Path(sys.argv[1]), 1, pack=pack, care=test_resume.OFTEN)
"""


def plan_of(pack):
    return tiny.plan({}, base=BASE, recipe=RECIPE, seeds=pack)


@pytest.fixture(scope="module")
def expected():
    """By pack, what its trials leave where nobody is killed."""
    trials = plan_of(3).trials
    outcomes = {
        1: [run_trial(trials[0].setup, trials[0].seed, "cpu")],
        3: run_trials([Order(trial.setup, trial.seed) for trial in trials], "cpu"),
    }
    return {
        pack: {t.content_hash: tiny.decided(o.record) for t, o in zip(trials, found, strict=False)}
        for pack, found in outcomes.items()
    }


def measured(path, plan):
    """One process less to start."""
    ResultsFolder(path).ledger(create=True).add_measurement(
        {cell.content_hash: tiny.measured(0) for cell in plan.cells}
    )


class KillAtCheckpoint(Observer):
    """Kills the worker of `marked` once its trial has a checkpoint."""

    def __init__(self, folder, marks):
        self.folder, self.marks, self.killed = folder, marks, 0

    def tick(self):
        if self.killed == 0 and list((self.folder / "checkpoints").glob("[!.]*")):
            (victim,) = self.marks.iterdir()
            os.kill(int(victim.name), signal.SIGKILL)
            self.killed = 1


def went_on(ledger, pack, expected):
    """Every trial is complete by way of a checkpoint, with the bits of one that nobody killed."""
    assert tiny.outcomes(ledger) == expected[pack]
    for entry in ledger.entries().values():
        record = entry.record
        assert (entry.attempt, record["resumed"], record["packed"], record["notes"]) == (2, 1, pack, "")
    assert not tiny.home(ledger).checkpoints.exists()


def hit(plan, tmp_path, monkeypatch):
    """The study after its worker was killed once its trial had a checkpoint."""
    monkeypatch.setattr(studies.running.runner, "run_trial", tiny.marked)
    (tmp_path / "marks").mkdir()
    monkeypatch.setenv("TINY_MARKS", str(tmp_path / "marks"))
    measured(tmp_path / "study", plan)
    observer = KillAtCheckpoint(tmp_path / "study", tmp_path / "marks")
    ledger = tiny.run(plan, tmp_path / "study", 1, observer, care=OFTEN)
    assert observer.killed
    return ledger


def test_a_trial_whose_worker_is_killed_goes_on_from_its_checkpoint(expected, tmp_path, monkeypatch):
    went_on(hit(plan_of(1), tmp_path, monkeypatch), 1, expected)


@pytest.mark.slow
@pytest.mark.skipif(not has_cpp_compiler(), reason="needs a C++ compiler and Python's headers")
def test_a_compiled_trial_goes_on_with_the_same_bits(tmp_path, monkeypatch):
    plan = tiny.plan({}, base=BASE, recipe=RECIPE.replace(compile=True), seeds=1)
    measured(tmp_path / "whole", plan)
    whole = tiny.run(plan, tmp_path / "whole", 1)
    ledger = hit(plan, tmp_path, monkeypatch)
    assert [entry.record["compile"] for entry in ledger.entries().values()] == [True]
    went_on(ledger, 1, {1: tiny.outcomes(whole)})


def test_a_pack_goes_on_after_driver_and_worker_were_killed(expected, tmp_path):
    """The same command again."""
    pack = 3
    measured(tmp_path / "study", plan_of(pack))
    paths = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
    command = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path / "study"), str(pack)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    tiny.until(lambda: list(tmp_path.glob("study/checkpoints/[!.]*")), "a checkpoint")
    os.killpg(command.pid, signal.SIGKILL)
    command.wait()
    went_on(tiny.run(plan_of(pack), tmp_path / "study", 1, pack=pack, care=OFTEN), pack, expected)
