"""What `--log` writes, read back by TensorBoard and MLflow themselves: every trial once, whatever was run again."""

import pytest

import tiny
from studies.cli.console import UsageError
from studies.cli.logs import LOGS, logs_named
from studies.report.tracking import ATTEMPT, WRITERS, write_logs


@pytest.fixture
def ledger(tmp_path):
    return tiny.filled(tmp_path / "tiny-mnist-cpu")


def again(ledger):
    """The failed trial runs again and is complete; the one that waited, too."""
    (failed,) = [entry for entry in ledger.entries().values() if entry.state == "failed"]
    ledger.retry(failed)
    for entry in ledger.unfinished():
        ledger.claim(entry)
        ledger.complete(entry, tiny.scored(3))


def test_tensorboard_has_every_trial_once(ledger):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    home = tiny.home(ledger)

    def read(arm, seed):
        place = home.path / "logs" / "tensorboard" / arm / f"seed {seed}"
        found = accumulator.EventAccumulator(str(place))
        found.Reload()
        return found

    write_logs(ledger, home, ["tensorboard"])
    done, failed = read("14_cls", 0), read("14_mean", 1)
    record = next(iter(ledger.entries().values())).record
    curve = [(e.step, e.value) for e in done.Scalars("epoch/val_accuracy")]
    assert curve == [(p["epoch"], pytest.approx(p["val_accuracy"])) for p in record["curve"]]
    assert [e.value for e in done.Scalars("final/test_accuracy")] == [pytest.approx(record["test_accuracy"])]
    assert "reason/text_summary" in failed.Tags()["tensors"]
    files = sorted((home.path / "logs").rglob("events*"))
    assert len(files) == 11
    write_logs(ledger, home, ["tensorboard"])
    assert sorted((home.path / "logs").rglob("events*")) == files
    again(ledger)
    write_logs(ledger, home, ["tensorboard"])
    assert len(list((home.path / "logs").rglob("events*"))) == 12
    assert read("14_mean", 1).Scalars("final/test_accuracy")


def test_mlflow_has_every_trial_once(ledger, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    home = tiny.home(ledger)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    client = mlflow.MlflowClient(f"sqlite:///{home.path / 'logs' / 'mlflow.db'}")

    def runs():
        experiment = client.get_experiment_by_name("tiny-mnist-cpu")
        return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id], max_results=100)}

    for _ in range(2):
        write_logs(ledger, home, ["mlflow"])
        assert len(runs()) == 11
    record = next(iter(ledger.entries().values())).record
    done, failed = runs()["14/cls seed 0"], runs()["14/mean seed 1"]
    assert (done.data.params, done.info.status) == ({"arm": "14/cls", "seed": "0"}, "FINISHED")
    assert done.data.metrics["test_accuracy"] == record["test_accuracy"]
    curve = client.get_metric_history(done.info.run_id, "epoch.val_accuracy")
    assert [(p.step, p.value) for p in curve] == [(p["epoch"], p["val_accuracy"]) for p in record["curve"]]
    assert (failed.info.status, failed.data.tags["reason"][:13]) == ("FAILED", "DivergedError")
    again(ledger)
    write_logs(ledger, home, ["mlflow"])
    assert len(runs()) == 12
    assert runs()["14/mean seed 1"].info.status == "FINISHED"
    assert runs()["14/mean seed 1"].data.tags[ATTEMPT] != failed.data.tags[ATTEMPT]


def test_names_are_checked_before_anything_runs(monkeypatch):
    assert set(LOGS) == set(WRITERS)
    monkeypatch.setattr("studies.cli.logs.find_spec", lambda name: name if name == "tensorboard" else None)
    assert logs_named(["tensorboard,tensorboard", "tensorboard"]) == ["tensorboard"]
    with pytest.raises(UsageError, match="not one of tensorboard, mlflow"):
        logs_named(["wandb"])
    with pytest.raises(UsageError, match=r"pip install 'vit-ablate\[mlflow\]'"):
        logs_named(["mlflow"])
