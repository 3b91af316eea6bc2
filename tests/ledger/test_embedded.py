"""What is asked of a storage that is one SQLite file in a folder."""

import os
import sqlite3
from concurrent.futures import Future
from pathlib import Path

import optuna
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

import studies.ledger.storages
import studies.ledger.urls
import tiny
from studies.ledger.entries import LedgerError
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.ledger.storages import FORMAT, MARK
from studies.ledger.urls import embedded, shown
from studies.running.effort import FULL
from studies.running.processes import ProcessExecutor
from studies.running.runner import Runner
from studies.trial.record import Outcome

PLAN = tiny.plan({"pooling": ("cls", "mean")})
FORMAT_1 = Path(__file__).with_name("format-1.sql").read_text()


@pytest.fixture
def folder(tmp_path):
    return ResultsFolder(tmp_path / "study")


@pytest.fixture
def old(folder):
    """A study begun before measurements had rows of their own: complete, failed, left running, waiting."""
    folder.path.mkdir()
    with sqlite3.connect(folder.storage) as connection:
        connection.executescript(FORMAT_1)
    connection.close()
    return folder


def test_a_study_of_the_first_format_is_read(old):
    ledger = old.ledger()
    assert ledger.plan == PLAN
    assert [entry.state for entry in ledger.entries().values()] == ["complete", "failed", "running", "waiting"]
    assert ledger.measurement == {cell.content_hash: tiny.measured(i) for i, cell in enumerate(PLAN.runnable)}


def test_a_new_measurement_stands_over_one_of_the_first_format(old):
    first, second = (cell.content_hash for cell in PLAN.runnable)
    old.ledger().add_measurement({first: {"flops": 1}})
    assert old.ledger().measurement == {first: {"flops": 1}, second: tiny.measured(1)}


class Done:
    """An executor whose every trial ends at once."""

    slots, worker_died = 1, ProcessExecutor.worker_died
    sight_lost, commits = (), False

    def __init__(self):
        self.seen = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def submit(self, function, *arguments):
        self.seen.append(function.__name__)
        future: Future = Future()
        future.set_result(Outcome({"val_accuracy": 0.5, "wall_seconds": 1.0}))
        return future


def test_a_study_of_the_first_format_goes_on(old):
    before, executor = old.ledger().entries(), Done()
    Runner(PLAN, old.ledger(create=True), old, executor, FULL).run()
    assert executor.seen == ["run_trial"] * 2  # and nothing is measured again
    after = old.ledger().entries()
    assert [(e.state, e.attempt) for e in after.values()] == [
        ("complete", 1),
        ("failed", 1),
        ("complete", 2),
        ("complete", 1),
    ]
    done, failed = PLAN.trials[0].content_hash, PLAN.trials[1].content_hash
    assert (after[done], after[failed]) == (before[done], before[failed])


ODD = ["a?b", "a#b", "100%", "%20", "{x}", "{SCHEMA_VERSION}", "a b", "größe", "a:b@c", "'\"", "sqlite:", "a&mode=ro"]


@pytest.mark.parametrize("name", ODD)
def test_a_path_is_taken_as_it_is_written(tmp_path, name):
    folder = ResultsFolder(tmp_path / "results" / name)
    ledger = folder.ledger(create=True)
    ledger.enqueue(PLAN.trials[0])
    assert [path.name for path in (tmp_path / "results").iterdir()] == [name]
    assert sorted(path.name for path in folder.path.iterdir()) == ["study.db", "study.lock"]
    assert len(folder.ledger().entries()) == 1


def test_a_relative_path_is_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ResultsFolder(Path("here")).ledger(create=True)
    assert (tmp_path / "here" / "study.db").exists()


def test_a_missing_study_leaves_no_folder(folder):
    with pytest.raises(LedgerError, match=r"no study in .*start one with `vit-ablate run`"):
        folder.ledger()
    assert not folder.path.exists()


def test_a_renamed_folder_is_the_same_study(folder):
    ledger = folder.ledger(create=True)
    ledger.plan = PLAN
    ledger.enqueue(PLAN.trials[0])
    moved = ResultsFolder(folder.path.rename(folder.path.with_name("kept for later"))).ledger()
    assert (moved.name, moved.plan, len(moved.entries())) == ("kept for later", PLAN, 1)


def test_looking_at_a_study_writes_nothing(folder):
    folder.ledger(create=True).enqueue(PLAN.trials[0])
    before = folder.storage.read_bytes()
    held = sqlite3.connect(folder.storage)
    held.execute("BEGIN IMMEDIATE")  # somebody is writing
    assert len(folder.ledger().entries()) == 1
    held.close()
    assert folder.storage.read_bytes() == before


def test_a_run_of_an_older_version_is_left_alone(folder, monkeypatch):
    folder.ledger(create=True)
    monkeypatch.setattr(studies.ledger.storages, "WAIT_SECONDS", 0)
    with (
        FileLock(folder.path / "study.lock"),
        pytest.raises(LedgerError, match=r"a run of an older vit-ablate holds .*study.lock; stop it with Ctrl-C"),
    ):
        folder.ledger(create=True)


@pytest.fixture
def read_only(folder, monkeypatch):
    """A study in a folder that cannot be written; root may write everything, so it is only said to be so."""
    folder.ledger(create=True).enqueue(PLAN.trials[0])
    monkeypatch.setattr(studies.ledger.storages, "can_write", lambda file: False)
    return folder


def test_what_cannot_be_written_is_read(read_only):
    ledger = read_only.ledger()
    assert len(ledger.entries()) == 1
    with pytest.raises(OperationalError, match="readonly"):
        ledger.note("x", 1)
    assert sorted(path.name for path in read_only.path.iterdir()) == ["study.db", "study.lock"]


def test_what_cannot_be_written_is_not_run(read_only):
    with pytest.raises(LedgerError, match=r"cannot open .*study.db: .*read only; name a folder you can write with --r"):
        read_only.ledger(create=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_permissions_are_asked(folder):
    folder.ledger(create=True).enqueue(PLAN.trials[0])
    folder.path.chmod(0o500)
    try:
        assert len(folder.ledger().entries()) == 1
    finally:
        folder.path.chmod(0o700)


def strange(path: Path, script: str) -> bytes:
    path.parent.mkdir(exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize("create", [False, True])
def test_the_database_of_another_program_is_left_alone(folder, create):
    before = strange(folder.storage, "CREATE TABLE urls (a); CREATE TABLE visits (b)")
    with pytest.raises(LedgerError, match=r"study.db is a database of another program \(its tables: urls, visits\)"):
        folder.ledger(create)
    assert folder.storage.read_bytes() == before


@pytest.mark.parametrize("create", [False, True])
def test_an_optuna_study_of_another_program_is_left_alone(folder, create):
    folder.path.mkdir()
    theirs = optuna.create_study(storage=f"sqlite:///{folder.storage}", study_name="theirs")
    theirs.add_trial(optuna.trial.create_trial(value=1.0))
    before = folder.storage.read_bytes()
    with pytest.raises(LedgerError, match="is an Optuna storage of another program"):
        folder.ledger(create)
    assert folder.storage.read_bytes() == before


def test_a_storage_of_a_format_to_come_is_refused(folder):
    folder.ledger(create=True).note(MARK, FORMAT + 1)
    with pytest.raises(LedgerError, match=rf"a newer vit-ablate \(format {FORMAT + 1}, known: {FORMAT}\); update"):
        folder.ledger()


def test_a_start_that_was_killed_before_its_study_was_made_starts_again(folder):
    folder.path.mkdir()
    optuna.storages.RDBStorage(f"sqlite:///{folder.storage}")
    assert folder.ledger(create=True).entries() == {}


def test_a_file_that_is_no_storage_is_named(folder):
    folder.path.mkdir()
    folder.storage.write_text("not a database, but long enough to be read as one " * 40)
    with pytest.raises(LedgerError, match=r"cannot open .*study.db: .*not a database"):
        folder.ledger()


def test_a_url_is_shown_without_its_password(tmp_path):
    url = "nosuch+driver://me:secret@host/db"
    with pytest.raises(LedgerError, match="cannot open") as refused:
        Ledger(url, "study")
    assert "secret" not in str(refused.value)
    assert shown(embedded(tmp_path / "study.db")) == str(tmp_path / "study.db")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\0"), min_size=1, max_size=40))
def test_the_url_of_a_file_is_that_file(name):
    assert studies.ledger.urls.file_of(embedded(Path("/results") / name / "study.db")) == (
        Path("/results") / name / "study.db"
    )
