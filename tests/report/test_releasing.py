import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import tiny
from studies.report import releasing
from studies.report.publishing import publish
from studies.report.releasing import ReleaseError, release

CLEAN = "- commit: 0123456789ab\n- dirty: False\n"


@pytest.fixture(autouse=True)
def tree(monkeypatch):
    """Says whether today's source tree has changes."""
    state = {"commit": "0123456789ab", "dirty": False}
    monkeypatch.setattr(releasing, "source_state", lambda: state)
    return state


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A results folder, with everything that stays behind."""
    ledger = tiny.filled(tmp_path_factory.mktemp("made") / "results" / "tiny-mnist-cpu")
    folder = publish(ledger, tiny.home(ledger)).folder
    (folder / "weights").mkdir()
    for name in ("weights/arm.safetensors", "study.lock", "study.db-wal", ".drawn-from"):
        (folder / name).write_text("local")
    page = folder / "README.md"
    kept = [line for line in page.read_text().splitlines() if not line.startswith(("- commit:", "- dirty:"))]
    page.write_text("\n".join([*kept, CLEAN]))
    table = folder / "runs.csv"
    table.write_text(table.read_text().replace(",waiting,", ",complete,"))
    return folder


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "results" / made.name)


@pytest.fixture
def bench(tmp_path):
    """A bench measured two tables."""
    found = tmp_path / "results" / "bench-cpu"
    found.mkdir(parents=True)
    for name in ("chunking", "memory"):
        (found / f"{name}.md").write_text(f"# {name}\n\n- commit: 0123456\n")
        (found / f"{name}.csv").write_text("new\n")
    return found


def test_storage_locks_and_weights_stay_behind(folder, tmp_path):
    target = release(folder, tmp_path / "published")
    assert target == tmp_path / "published" / folder.name
    assert {path.name for path in target.iterdir()} == {
        "README.md",
        "cells.csv",
        "contrasts.csv",
        "figures",
        "provenance.json",
        "report.html",
        "runs.csv",
        "runs.parquet",
        "study.json",
    }
    assert [path.name for path in target.parent.iterdir()] == [folder.name]


def test_a_study_replaces_what_was_published_under_its_name(folder, tmp_path):
    (tmp_path / "published" / folder.name / "pictures").mkdir(parents=True)
    assert not (release(folder, tmp_path / "published") / "pictures").exists()


def test_a_bench_leaves_tables_that_it_did_not_measure(bench, tmp_path):
    there = tmp_path / "published" / "bench-cpu"
    there.mkdir(parents=True)
    for name in ("memory.csv", "runner.csv"):
        (there / name).write_text("old\n")
    release(bench, tmp_path / "published")
    assert {path.name: path.read_text() for path in there.glob("*.csv")} == {
        "chunking.csv": "new\n",
        "memory.csv": "new\n",
        "runner.csv": "old\n",
    }


def test_several_at_once_leave_one_whole_folder_and_nothing_beside_it(folder, tmp_path):
    start = threading.Barrier(4)

    def publish_now(_):
        start.wait()
        return release(folder, tmp_path / "published")

    with ThreadPoolExecutor(4) as people:
        (target,) = {*people.map(publish_now, range(4))}
    assert [path.name for path in target.parent.iterdir()] == [folder.name]
    left_behind = {"weights", "study.lock", "study.db", "study.db-wal", ".drawn-from"}
    assert {path.name for path in target.iterdir()} == {path.name for path in folder.iterdir()} - left_behind


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        ("- commit: 0123456 + changes", "commit 0123456 \\+ changes"),
        ("- commit: unknown", "commit unknown"),
        ("- commit: 0123456789ab\n- dirty: False, True", "dirty False, True"),
        ("- commit: None\n- dirty: None", "commit None, dirty None"),
        ("", "does not say which commit made it"),
    ],
)
def test_a_page_of_doubtful_origin_is_refused_unless_forced(bench, tmp_path, fact, reason):
    (bench / "memory.md").write_text(f"# Memory\n\n{fact}\n")
    with pytest.raises(ReleaseError, match=f"memory.md.*{reason}.*--force"):
        release(bench, tmp_path / "published")
    assert not (tmp_path / "published").exists()
    assert release(bench, tmp_path / "published", force=True).exists()


def test_changes_in_todays_source_are_refused(folder, tmp_path, tree):
    tree["dirty"] = True
    with pytest.raises(ReleaseError, match="the source tree has changes"):
        release(folder, tmp_path / "published")


def test_trials_that_wait_are_counted_and_refused(folder, tmp_path):
    table = folder / "runs.csv"
    table.write_text(table.read_text().replace(",complete,", ",waiting,", 2))
    with pytest.raises(ReleaseError, match="2 of 12 trials are not finished"):
        release(folder, tmp_path / "published")


def test_what_is_published_is_not_published_onto_itself(folder, tmp_path):
    target = release(folder, tmp_path / "published")
    with pytest.raises(ReleaseError, match="is where published results lie"):
        release(target, tmp_path / "published", force=True)
    assert (target / "runs.csv").exists()


def test_the_command_publishes_beside_the_results_by_name_and_refuses_in_a_sentence(folder, tmp_path, capsys, tree):
    results = str(folder.parent)
    assert tiny.vit_ablate("publish", "tiny-mnist-cpu", "--results", results) == 0
    assert (folder.parent / "published" / "tiny-mnist-cpu" / "report.html").exists()
    tree["dirty"] = True
    assert tiny.vit_ablate("publish", "tiny-mnist-cpu", "--results", results) == 2
    assert "--force" in capsys.readouterr().err
    assert tiny.vit_ablate("publish", "tiny-mnist-cpu", "--results", results, "--force") == 0


def test_a_study_that_was_not_run_here_is_read_as_published(folder, tmp_path, capsys):
    release(folder, folder.parent / "published")
    shutil.rmtree(folder)
    assert tiny.vit_ablate("table", "tiny", "--results", str(folder.parent), "--format", "csv") == 0
    assert "14/cls" in capsys.readouterr().out
