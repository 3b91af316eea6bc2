"""What a newcomer runs leaves `git status` clean; only what was published is offered to git."""

import shutil
import subprocess
from pathlib import Path

import pytest

import tiny
import vit
from studies.report import releasing
from studies.report.publishing import publish
from studies.report.releasing import release

ROOT = Path(vit.__file__).parents[1]


@pytest.fixture
def clone(tmp_path):
    """An empty repository that ignores what this one ignores."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    return tmp_path


def untracked(clone: Path) -> set[str]:
    """What `git status` shows, file by file."""
    words = ["git", "status", "--porcelain", "--untracked-files=all"]
    done = subprocess.run(words, cwd=clone, check=True, capture_output=True, text=True)
    return {line[3:] for line in done.stdout.splitlines()} - {".gitignore"}


def test_a_run_a_bench_and_the_calibration_leave_it_clean(clone):
    ledger = tiny.filled(clone / "results" / "tiny-mnist-cpu")
    publish(ledger, tiny.home(ledger))
    for name in (
        "bench-cpu/chunking.csv",
        "peers-cpu/peers.png",
        "calibration/README.md",
        "tiny-mnist-cpu/weights/a.b",
    ):
        path = clone / "results" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert untracked(clone) == set()


def test_what_is_published_shows_without_storage_and_weights(clone, monkeypatch):
    monkeypatch.setattr(releasing, "source_state", lambda: {"dirty": False})
    ledger = tiny.filled(clone / "results" / "tiny-mnist-cpu")
    folder = publish(ledger, tiny.home(ledger)).folder
    target = release(folder, clone / "results" / "published", force=True)
    (target / "study.db").touch()
    (target / "weights").mkdir()
    (target / "weights" / "a.safetensors").touch()
    shown = untracked(clone)
    assert "results/published/tiny-mnist-cpu/report.html" in shown
    assert "results/published/tiny-mnist-cpu/figures/accuracy.png" in shown
    assert [name for name in shown if not name.startswith("results/published/")] == []
    assert [name for name in shown if "study.db" in name or "weights" in name] == []
