"""A study on a server, from the command line: run, watched, read; a restart in the middle; passwords in no place."""

import json

import pytest

import servers
import tiny
from studies.cli.errors import mended_by
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
    words = ["run", "pooling", *tiny.settings(), "--seeds", "1", "--workers", "1"]
    assert tiny.vit_ablate(*words, "--results", str(results), "--storage", url) == 0
    return results, url


def test_a_study_runs_on_a_server_and_leaves_no_password(home):
    results, _ = home
    assert not (results / NAME / "study.db").exists()
    files = [path for path in results.rglob("*") if path.is_file()]
    assert {"runs.csv", "report.html", "provenance.json"} <= {path.name for path in files}
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert "***" in json.loads((results / NAME / "provenance.json").read_text())["command"]


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
