"""What a command loads: nothing heavy before it is needed. Seconds are measured in bench/test_startup.py."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tiny
from studies.cli import known
from studies.cli.known import ComponentFacts, Known, StudyFacts

HEAVY = ("torch", "pandas", "numpy", "matplotlib", "scipy", "optuna", "sqlalchemy", "jinja2")
REPORTED = """
import atexit, sys
atexit.register(lambda: print("LOADED", *sys.modules, *{name.split(".")[0] for name in sys.modules}, file=sys.stderr))
from studies.cli import main
main()
"""


@pytest.fixture(scope="module", autouse=True)
def remembered():
    """As after the first command: names are known; whatever another test may have left is of these files, too."""
    known.memory().parent.mkdir(exist_ok=True)
    run("list")


def run(*words: str) -> tuple[int, set[str], str]:
    """Exit code, packages loaded and what was said by the command in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    command = [sys.executable, "-c", REPORTED, *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    loaded = done.stderr.rsplit("LOADED", 1)[1].split()
    return done.returncode, set(loaded), done.stdout + done.stderr.rsplit("LOADED", 1)[0]


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["--help"], 0, "calibrate"),
        (["-h"], 0, "calibrate"),
        (["run", "--help"], 0, "--retry-failed"),
        (["train", "--help"], 0, "One of notebook, tiny, compact, small, shallow."),
        (["table", "--help"], 0, "One of md, csv, latex, html, json; printed as such."),
        (["--version"], 0, "vit-ablate"),
        (["list"], 0, "ablations"),
        (["nosuch"], 2, "No such command 'nosuch'"),
        (["run"], 2, "say what to study"),
        (["run", "poolin"], 2, "did you mean 'pooling'?"),
        (["plan", "pooling", "--seeds", "0"], 2, "greater than or equal to 1"),
        (["run", "pooling", "--set", "nosuch=1"], 2, "unknown setting 'nosuch'"),
        (["run", "pooling", "--pack", "0"], 2, "--pack 0: write auto"),
        (["train", "--preset", "tinny"], 2, "did you mean 'tiny'?"),
        (["train", "--dataset", "nosuch"], 2, "unknown data set 'nosuch'; choices: cifar10, fashion-mnist, mnist"),
        (["table", "pooling", "--table", "nope"], 2, "unknown table 'nope'; choices: cells, runs, contrasts"),
        (["table", "pooling", "--format", "docx"], 2, "unknown format 'docx'"),
        (["table", "[/x]"], 2, "no studies called '[/x]'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_help_lists_and_wrong_words_load_nothing_heavy(words, code, part):
    ended, loaded, said = run(*words)
    assert ended == code, said
    assert part in " ".join(said.replace("│", " ").split())
    assert loaded & set(HEAVY) == set()


def test_a_plan_loads_neither_optuna_nor_what_torch_and_scipy_need_a_second_for(tmp_path):
    code, loaded, said = run("plan", "ablations", "--device", "cpu", "--results", str(tmp_path))
    assert code == 0, said
    assert "24 arms × 8 seeds" in said
    assert {"torch", "scipy"} <= loaded
    assert loaded & {"optuna", "sqlalchemy", "matplotlib", "scipy.stats", "torch._dynamo"} == set()


def test_status_reads_the_storage_without_torch_or_optuna(tmp_path):
    tiny.filled(tmp_path / "tiny-mnist-cpu")
    code, loaded, said = run("status", "--results", str(tmp_path))
    assert code == 0, said
    assert "tiny-mnist-cpu" in said
    assert loaded & {*HEAVY} <= {"sqlalchemy"}


def test_a_table_that_lies_there_is_printed_without_torch_or_scipy():
    code, loaded, said = run("table", "results/published/pooling-mnist-cpu")
    assert code == 0, said
    assert "baseline" in said
    assert loaded & {*HEAVY} <= {"pandas", "numpy"}


def test_what_is_remembered_is_what_the_registries_say():
    assert known._remembered(known._stamp()) == known._ask()


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A project of one file; nothing of it is loaded."""
    (tmp_path / "vit").mkdir()
    file = tmp_path / "vit" / "one.py"
    file.write_text("one = 1")
    monkeypatch.setattr(known, "PROJECT", tmp_path)
    monkeypatch.setattr(known, "REGISTRIES", "not.loaded")
    monkeypatch.setattr(known, "memory", lambda: tmp_path / "memory.json")
    return file


FACTS = Known(
    [StudyFacts("one", "", 1, 1, "?")], [ComponentFacts("pooling", "mean", "A mean of all.")], {"study": ["one"]}
)


def test_registries_are_asked_once_and_again_after_any_change(source, monkeypatch):
    asked = []
    monkeypatch.setattr(known, "_ask", lambda: asked.append(1) or FACTS)
    assert [known.known(), known.known()] == [FACTS, FACTS]
    assert len(asked) == 1
    source.write_text("one = 11")
    known.known()
    (source.parent / "two.py").touch()
    known.known()
    assert len(asked) == 3


@pytest.mark.parametrize("content", ["", "[]", "{", '{"stamp": [], "studies": [1]}'])
def test_a_damaged_memory_is_as_none(source, monkeypatch, content):
    monkeypatch.setattr(known, "_ask", lambda: FACTS)
    known.memory().write_text(content)
    assert known.known() == FACTS
    assert json.loads(known.memory().read_text())["names"] == FACTS.names


def test_a_memory_that_cannot_be_written_is_no_error(source, monkeypatch):
    monkeypatch.setattr(known, "_ask", lambda: FACTS)
    monkeypatch.setattr(known, "memory", lambda: Path("/proc/nope/memory.json"))
    assert known.known() == FACTS
