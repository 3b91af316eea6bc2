"""A study on a server, from the command line: run, watched, read; a restart in the middle; passwords in no place."""

import json

import pytest

import servers
import tiny
from studies.cli.errors import mended_by
from studies.ledger.folder import ResultsFolder
from studies.ledger.patience import StorageGone

SECRET = "s3cr3t-word"
NAME = "pooling+" + "+".join(f"{k}={v}" for k, v in tiny.SETTINGS.items()) + "-mnist-cpu"


@pytest.fixture(scope="module")
def server():
    with servers.postgres() as running:
        yield running


@pytest.fixture(scope="module")
def home(server, tmp_path_factory):
    """A study that ran, with a password in its URL."""
    results = tmp_path_factory.mktemp("results")
    url = server.database().set(password=SECRET).render_as_string(hide_password=False)
    words = ["run", "pooling", *tiny.settings(), "--seeds", "1", "--workers", "1", "--log", "tensorboard,mlflow"]
    assert tiny.vit_ablate(*words, "--results", str(results), "--storage", url) == 0
    return results, url


def test_a_study_runs_on_a_server_and_leaves_no_password(home):
    results, _ = home
    assert not (results / NAME / "study.db").exists()
    files = [path for path in results.rglob("*") if path.is_file()]
    assert {"runs.csv", "report.html", "provenance.json"} <= {path.name for path in files}
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert "***" in json.loads((results / NAME / "provenance.json").read_text())["command"]


def test_its_trials_are_in_both_logs(home):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    mlflow = pytest.importorskip("mlflow")
    results, url = home
    place = results / NAME / "logs"
    client = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(NAME).experiment_id
    runs = {run.data.params["arm"]: run.data.metrics["test_accuracy"] for run in client.search_runs([experiment])}
    ledger = ResultsFolder(results / NAME, url).ledger()
    names = {cell.content_hash: cell.name for cell in ledger.plan.runnable}
    found = {names[entry.cell_hash]: entry.record["test_accuracy"] for entry in ledger.entries().values()}
    assert runs == found
    for arm, accuracy in found.items():
        read = events.EventAccumulator(str(place / "tensorboard" / arm / "seed 0"))
        read.Reload()
        assert [event.value for event in read.Scalars("final/test_accuracy")] == [pytest.approx(accuracy)]


def test_it_is_watched_and_read_from_anywhere(home, tmp_path, capsys, monkeypatch):
    _, url = home
    monkeypatch.setenv("VIT_ABLATE_STORAGE", url)
    elsewhere = ["--results", str(tmp_path)]
    capsys.readouterr()
    assert tiny.vit_ablate("status", *elsewhere, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["study"], row["waiting"], row["running"], row["failed"]) == (NAME, 0, 0, 0)
    assert row["complete"] >= 3
    assert tiny.vit_ablate("table", "pooling+", *elsewhere) == 2
    assert tiny.vit_ablate("table", NAME, *elsewhere, "--table", "runs", "--format", "csv") == 0
    assert tiny.vit_ablate("report", NAME, *elsewhere) == 0
    assert (tmp_path / NAME / "report.html").exists()
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err


def test_a_wrong_url_is_refused_without_showing_it(tmp_path, capsys):
    for url, why in (
        (f"sqlite:///{SECRET}.db", "a file serves the drivers of one machine only"),
        (f"mysql://me:{SECRET}@host/db", "choices: postgresql+psycopg://"),
        (f"{SECRET}", "is no URL of a storage"),
        (f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/db", "cannot open postgresql+psycopg://me:***@127.0.0.1:1/db"),
    ):
        words = ["run", "pooling", *tiny.settings(), "--results", str(tmp_path), "--storage", url]
        assert tiny.vit_ablate(*words) == 2
        said = capsys.readouterr()
        assert why in said.err
        assert SECRET not in said.out + said.err


def test_a_storage_that_is_gone_ends_with_code_3():
    assert mended_by(StorageGone("the storage is gone")) == ("the storage is gone", 3)
