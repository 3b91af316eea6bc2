import json
import re
import subprocess
import sys

import pytest

from bench.machine import machine_facts
from studies.trial import provenance
from studies.trial.provenance import anywhere, command, mask, source_state, versions


@pytest.fixture(autouse=True)
def _fresh():
    source_state.cache_clear()
    yield
    source_state.cache_clear()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A clone of its own, with one source file."""
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "provenance.py").write_text("a = 1\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        git(tmp_path, *words)
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "studies" / "provenance.py"))
    return tmp_path


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_clean_clone_has_its_commit(repository):
    assert source_state() == {"commit": git(repository, "rev-parse", "--short=12", "HEAD"), "dirty": False}


def test_results_do_not_make_it_dirty_and_sources_do(repository):
    (repository / "results").mkdir()
    (repository / "results" / "runs.csv").write_text("1")
    assert source_state()["dirty"] is False
    source_state.cache_clear()
    (repository / "studies" / "new.py").write_text("b = 2\n")
    assert source_state()["dirty"] is True


def test_somebody_elses_repository_is_not_ours(repository, monkeypatch):
    installed = repository / "venv" / "site-packages" / "studies"
    installed.mkdir(parents=True)
    (repository / ".gitignore").write_text("venv\n")
    (installed / "provenance.py").write_text("")
    monkeypatch.setattr(provenance, "REPOSITORY", installed.parent)
    monkeypatch.setattr(provenance, "__file__", str(installed / "provenance.py"))
    assert source_state() == {"commit": None, "dirty": None}


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert source_state() == {"commit": None, "dirty": None}


def test_versions_and_machine_are_plain_and_name_no_host():
    facts = {**versions(), **machine_facts("cpu")}
    assert json.loads(json.dumps(facts)) == facts
    assert re.match(r"2\.\d+", facts["torch"])
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["cores"] >= 1
    assert 0 < facts["memory_gib"] < 10_000
    assert set(facts) == {"torch", "python", "vit_ablate", "cpu", "cores", "memory_gib", "system"}


def test_the_command_can_be_typed_again(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/some/where/bin/vit-ablate", "run", "x", "--set", "patch_size=(7, 14)"])
    assert command() == "vit-ablate run x --set 'patch_size=(7, 14)'"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql+psycopg://me:secret@host/db", "postgresql+psycopg://me:***@host/db"),
        ("a://u:p@h b://v:q@i", "a://u:***@h b://v:***@i"),
        ("--storage=redis://:secret@host", "--storage=redis://:***@host"),
        ("sqlite:///results/study.db", "sqlite:///results/study.db"),
    ],
)
def test_passwords_are_masked(text, masked):
    assert mask(text) == masked


def test_the_repository_is_the_folder_of_the_project():
    assert (provenance.REPOSITORY / "studies" / "trial" / "provenance.py").samefile(provenance.__file__)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("vit-ablate run aa --results /home/me/x --seeds 3", "vit-ablate run aa --seeds 3"),
        ("vit-ablate run aa --results=x", "vit-ablate run aa"),
        ("vit-ablate run aa --results 'a folder' --quick", "vit-ablate run aa --quick"),
        ("vit-ablate run aa", "vit-ablate run aa"),
    ],
)
def test_a_command_does_not_say_where_results_lay(typed, kept):
    assert anywhere(typed) == kept
