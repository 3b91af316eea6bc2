"""What `--log` writes, read back by TensorBoard and MLflow themselves: every trial once, as soon as it is over."""

import dataclasses
from concurrent.futures import Future

import pytest

import tiny
from disks import fill, small_disk
from studies.cli.console import UsageError
from studies.cli.logs import LOGS, logs_named
from studies.design.tuned import as_tuned
from studies.ledger.folder import ResultsFolder
from studies.ledger.samplers import RANDOM, Method
from studies.ledger.states import unfinished
from studies.report.logs import Logs
from studies.report.tracking import ATTEMPT, MARK, TUNING, WRITERS
from studies.running.progress import Tried
from studies.running.runner import Runner
from studies.running.tuning import Tuner
from studies.trial.record import Outcome

NAME = "tiny-mnist-cpu"


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def ledger(tmp_path):
    return tiny.filled(tmp_path / NAME)


def write(ledger, *kinds, home=None, told=pytest.fail):
    logs = Logs(ledger, home or tiny.home(ledger), kinds, told)
    logs.close()


def again(ledger):
    """The failed trial runs again and is complete; the one that waited, too."""
    (failed,) = [entry for entry in ledger.entries().values() if entry.state == "failed"]
    ledger.retry(failed)
    for entry in unfinished(ledger):
        ledger.claim(entry)
        ledger.complete(entry, tiny.scored(3))


def events(home, *place):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(home.path.joinpath("logs", "tensorboard", *place)))
    found.Reload()
    return found


def client(home):
    return pytest.importorskip("mlflow").MlflowClient(f"sqlite:///{home.path / 'logs' / 'mlflow.db'}")


def runs(home):
    experiment = client(home).get_experiment_by_name(home.name)
    return {run.info.run_name: run for run in client(home).search_runs([experiment.experiment_id], max_results=100)}


def test_tensorboard_has_every_trial_once(ledger):
    home = tiny.home(ledger)
    write(ledger, "tensorboard")
    done, failed = events(home, "14_cls", "seed 0"), events(home, "14_mean", "seed 1")
    record = next(iter(ledger.entries().values())).record
    curve = [(e.step, e.value) for e in done.Scalars("epoch/val_accuracy")]
    assert curve == [(p["epoch"], pytest.approx(p["val_accuracy"])) for p in record["curve"]]
    assert [e.value for e in done.Scalars("final/test_accuracy")] == [pytest.approx(record["test_accuracy"])]
    assert "reason/text_summary" in failed.Tags()["tensors"]
    files = sorted((home.path / "logs").rglob("events*"))
    assert len(files) == 11
    write(ledger, "tensorboard")
    assert sorted((home.path / "logs").rglob("events*")) == files
    again(ledger)
    write(ledger, "tensorboard")
    assert len(list((home.path / "logs").rglob("events*"))) == 12
    assert events(home, "14_mean", "seed 1").Scalars("final/test_accuracy")


def test_mlflow_has_every_trial_once(ledger):
    home = tiny.home(ledger)
    for _ in range(2):
        write(ledger, "mlflow")
        assert len(runs(home)) == 11
    record = next(iter(ledger.entries().values())).record
    done, failed = runs(home)["14/cls seed 0"], runs(home)["14/mean seed 1"]
    assert (done.data.params, done.info.status) == ({"arm": "14/cls", "seed": "0"}, "FINISHED")
    assert done.data.metrics["test_accuracy"] == record["test_accuracy"]
    curve = client(home).get_metric_history(done.info.run_id, "epoch.val_accuracy")
    assert [(p.step, p.value) for p in curve] == [(p["epoch"], p["val_accuracy"]) for p in record["curve"]]
    assert (failed.info.status, failed.data.tags["reason"][:13]) == ("FAILED", "DivergedError")
    again(ledger)
    write(ledger, "mlflow")
    assert len(runs(home)) == 12
    assert runs(home)["14/mean seed 1"].info.status == "FINISHED"
    assert runs(home)["14/mean seed 1"].data.tags[ATTEMPT] != failed.data.tags[ATTEMPT]


class Inline:
    """An executor that ends every trial at once, each but the first when the one before it is in the log."""

    worker_died, sight_lost, commits, slots = RuntimeError, (), False, 1

    def __init__(self, marks):
        self.marks, self.submitted = marks, 0

    def submit(self, fn, setup, seed, *_):
        tiny.until(lambda: len(self.marks()) == self.submitted, "the trial before this one in the log")
        self.submitted += 1
        found = Future()
        known = {"seed": seed, "pruned": False} | tiny.scored(seed % 7)
        found.set_result(Outcome(known))
        return found

    def kill(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None


def test_a_trial_can_be_looked_at_while_the_next_one_runs(tmp_path):
    plan = tiny.plan({"pooling": ("cls", "mean")}, seeds=2)
    home = ResultsFolder(tmp_path / plan.folder)
    ledger = home.ledger(create=True)
    ledger.add_measurement({cell.content_hash: tiny.measured(0) for cell in plan.cells})
    logs = Logs(ledger, home, ["tensorboard", "mlflow"], pytest.fail)
    executor = Inline(lambda: list((home.path / "logs" / "tensorboard").rglob(MARK)))
    Runner(plan, ledger, home, executor, tiny.BRIEFLY, logs).run()
    assert executor.submitted == 4
    logs.close()
    assert sorted(runs(home)) == ["cls seed 0", "cls seed 1", "mean seed 0", "mean seed 1"]


def test_trials_of_tuning_are_written_too_and_are_told_apart(tmp_path):
    plan = as_tuned(tiny.plan({"pooling": ("cls", "mean")}))
    home = ResultsFolder(tmp_path / plan.folder)
    ledger = home.ledger(create=True)
    ledger.plan = plan
    told = []
    logs = Logs(ledger, home, ["tensorboard", "mlflow"], pytest.fail)
    logs.seen, logs.searched = logs.searched, lambda tried: (told.append(tried), logs.seen(tried))
    executor = Inline(lambda: list((home.path / "logs" / "tensorboard" / "tuning").rglob(MARK)))
    found = Tuner(plan, ledger, executor, 2, Method(RANDOM), logs).run()
    logs.close()
    assert [isinstance(one, Tried) for one in told] == [True] * 4
    assert [round(one.seconds_left > 0) for one in told] == [1, 1, 1, 0]
    assert len(list((home.path / "logs").rglob("events*"))) == len(runs(home)) == 4
    curve = events(home, "tuning", "mean", "trial 2").Scalars("epoch/val_accuracy")
    assert [(e.step, e.value) for e in curve] == [(1, pytest.approx(curve[0].value)), (2, curve[1].value)]
    run = runs(home)["tuning mean trial 1"]
    assert run.data.tags[TUNING] == "True"
    assert run.data.params.keys() == {"arm", *found["mean"]}
    before = {name: run.info.run_id for name, run in runs(home).items()}
    write(ledger, "tensorboard", "mlflow", home=home)  # what is found in the storage is what was told
    assert {name: run.info.run_id for name, run in runs(home).items()} == before
    assert len(list((home.path / "logs").rglob("events*"))) == 4


def test_a_full_disk_is_a_warning_and_what_is_missing_is_added_later(ledger, tmp_path):
    with small_disk(tmp_path / "disk", "8m") as disk:
        home = dataclasses.replace(tiny.home(ledger), path=disk / NAME)
        filler, told = fill(disk), []
        logs = Logs(ledger, home, ["tensorboard", "mlflow"], told.append)
        for entry in ledger.entries().values():
            if entry.state in ("complete", "failed"):
                logs.kept(entry)
        tiny.until(lambda: len(told) == 2, "both told")
        assert sorted(line.split(":")[0] for line in told) == ["--log mlflow", "--log tensorboard"]
        filler.unlink()
        logs.close()
        assert len(told) == 2
        assert len(runs(home)) == len(list(home.path.rglob(MARK))) == 11


def test_a_server_that_is_not_there_is_a_warning_without_its_password(ledger, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter2@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    told = []
    write(ledger, "tensorboard", "mlflow", told=told.append)
    (line,) = told
    assert line.startswith("--log mlflow: not everything is written (")
    assert "hunter2" not in line
    assert len(list((tiny.home(ledger).path / "logs").rglob(MARK))) == 11


def test_names_are_checked_before_anything_runs(monkeypatch):
    assert set(LOGS) == set(WRITERS)
    monkeypatch.setattr("studies.cli.logs.find_spec", lambda name: name if name == "tensorboard" else None)
    assert logs_named(["tensorboard,tensorboard", "tensorboard"]) == ["tensorboard"]
    with pytest.raises(UsageError, match="not one of tensorboard, mlflow"):
        logs_named(["wandb"])
    with pytest.raises(UsageError, match=r"pip install 'vit-ablate\[mlflow\]'"):
        logs_named(["mlflow"])
