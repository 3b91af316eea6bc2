"""What happens to files while a study runs: finished trials survive, and one line says what and where."""

import re
import shutil
from pathlib import Path

import pytest

import disks
import tiny
from studies.ledger.folder import ResultsFolder
from studies.report.publishing import publish

WORDS = ["run", "--factor", "pooling=cls,mean", "--quick", *tiny.settings(epochs=2), "--workers", "1", "--seeds", "4"]


def begun(log: Path, results: Path):
    """A study in a process of its own, once a trial of it is complete; its folder."""
    driver = tiny.start(log, *WORDS, "--results", str(results))
    tiny.until(lambda: "[1/8]" in log.read_text() or driver.poll() is not None, "a finished trial")
    assert driver.poll() is None, log.read_text()
    return driver, ResultsFolder(next(results.glob("*/study.db")).parent)


def last_line(log: Path) -> str:
    text = log.read_text()
    assert "Traceback" not in text
    return text.splitlines()[-1]


def records(folder: ResultsFolder) -> dict[str, str]:
    entries = folder.ledger().entries().values()
    return {entry.content_hash: entry.record["started_at"] for entry in entries if entry.state == "complete"}


@pytest.fixture
def small_disk(tmp_path):
    with disks.small_disk(tmp_path / "disk", "3m") as place:
        yield place


def test_a_full_disk_stops_the_run_and_costs_no_finished_trial(small_disk, tmp_path):
    log = tmp_path / "log"
    driver, folder = begun(log, small_disk / "results")
    filler = disks.fill(small_disk)
    assert driver.wait(120) == 3, log.read_text()
    said = last_line(log)
    assert re.search(r"error: .*(disk is full|No space left)", said), said
    assert f"finished trials are kept in {folder.path}, the same command goes on from here" in said
    kept = records(folder)
    assert kept
    filler.unlink()
    assert tiny.vit_ablate(*WORDS, "--results", str(small_disk / "results")) == 0
    done = records(folder)
    assert len(done) == 8
    assert kept.items() <= done.items()


def test_a_folder_that_is_removed_while_it_is_written_is_one_line(tmp_path):
    log = tmp_path / "log"
    driver, folder = begun(log, tmp_path / "results")
    shutil.rmtree(folder.path, ignore_errors=True)
    shutil.rmtree(folder.path, ignore_errors=True)
    assert driver.wait(120) in (2, 3), log.read_text()
    said = last_line(log)
    assert said.startswith("error: ")
    assert str(folder.path) in said


@pytest.mark.parametrize("harm", ["torn", "middle", "empty"])
def test_a_damaged_storage_is_refused_by_name_and_left_as_it_is(harm, tmp_path, capsys):
    place = tmp_path / "pooling-mnist-cpu"
    tiny.filled(place)
    whole = (place / "study.db").read_bytes()
    half = len(whole) // 2
    damaged = {"torn": whole[:half], "middle": whole[:4096] + b"Z" * half + whole[4096 + half :], "empty": b"Z" * 5000}
    (place / "study.db").write_bytes(damaged[harm])
    for words in (["run", "pooling", "--seeds", "1"], ["table", "pooling"], ["report", "pooling"]):
        assert tiny.vit_ablate(*words, "--results", str(tmp_path)) in (2, 3)
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert str(place) in said
    assert (place / "study.db").read_bytes() == damaged[harm]


def test_results_that_were_copied_from_elsewhere_are_not_replaced_by_a_run(tmp_path, capsys):
    ledger = tiny.filled(tmp_path / "pooling-mnist-cpu")
    folder = tiny.home(ledger)
    publish(ledger, folder)
    folder.storage.unlink()
    before = folder.table("runs").read_bytes()
    assert tiny.vit_ablate("run", "pooling", "--results", str(tmp_path)) == 2
    said = capsys.readouterr().err
    assert f"{folder.path} holds 10 finished trials, and 10 of them are not of this study" in said
    assert "it has no arm 14/cls" in said
    assert folder.table("runs").read_bytes() == before
    assert not folder.holds_study
