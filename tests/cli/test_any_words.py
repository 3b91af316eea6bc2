"""Whatever is typed or declared either plans or is refused: one line, exit code 2, no traceback, no waiting.

Words are drawn from the commands' own declarations, so that a new option is tried from the day it is there.
"""

import random
import shutil
import signal
import socketserver
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

import tiny
from studies.cli import app, console, known
from studies.cli.doing import planning, running, showing, training
from studies.data import load
from studies.design.expand import check_data, expand
from studies.design.plan import Plan
from studies.design.settings import DesignError
from studies.design.study import STUDIES, Study
from studies.report import publishing
from studies.report.publishing import publish
from studies.training.recipe import Recipe, RecipeError
from vit import ConfigError, ViTConfig

CALLS, DECLARATIONS, CONFIGS = 1000, 800, 500
SECONDS = 20
"""Of processor time; a call takes milliseconds."""
LEFT_OUT = ("calibrate", "doctor", "publish")
"""They work for minutes, or write what git keeps."""
REFUSALS = (ConfigError, RecipeError, DesignError)

WORDS = [
    "", " ", "0", "1", "2", "3", "4", "5", "7", "14", "28", "-1", "1000000", "9" * 30, "9" * 5000, "-0.0", "0.1",
    "1e308", "1e-320", "nan", "inf", "-inf", "1j", "0x10", "1_000", "True", "False", "None", "auto", "cls", "mean",
    "tiles", "learned", "adamw", "float32", "cpu", "cuda", "cuda:99", "cuda:x", "meta", "(7, 14)", "7,14", "[7]", "{}",
    "()", "((1,),)", "'a'", "b'a'", "lambda: 1", "__import__('os')", "[/x]", "[bold]", "\x1b[31m", "é中", "a\nb",
    "a\0b", "--", "-x", "a=b", "=", "nosuch/..", "a/../../b", "a" * 300, "%s", "{x}", "?#&", "postgresql://me:pw@host/db",
    "mnist", "md", "json", "cells", "runs", "cell", "n", "n>3", "cell in a", "-n", "10min", "1e9h", "30 s", "0,1",
    "3,x",
]  # fmt: skip
VALUES = [
    None, True, False, 0, 1, 2, 3, 4, 7, 14, 28, -1, 10**6, 2**63, 10**30, 10**5000, 0.0, -0.0, 0.1, 0.5, 2.0, 1e308,
    float("nan"), float("inf"), 1j, "", "auto", "cls", "mean", "tiles", "learned", "adamw", "cosine", "a\nb", "x" * 300,
    b"a", (7, 14), (14, 28), (7,), (), ((1,),), [7], {}, {1}, object(), len, ViTConfig, (10**5000, 1),
]  # fmt: skip


@contextmanager
def in_time(what):
    """An error where it takes longer, instead of a test that never ends."""

    def late(*_):
        raise TimeoutError(f"{SECONDS} s were not enough: {what}")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder to be in, with results of two studies."""
    root = tmp_path_factory.mktemp("place")
    ledger = tiny.filled(root / "results" / "pooling-mnist-cpu")
    publish(ledger, tiny.home(ledger))
    shutil.copytree(root / "results" / "pooling-mnist-cpu", root / "results" / "chunking-mnist-cpu")
    (root / "results" / "chunking-mnist-cpu" / "study.db").unlink()
    return root


@pytest.fixture
def harmless(place, monkeypatch):
    """What is accepted ends where work would begin."""

    def accepted(*_, **__):
        raise typer.Exit(0)

    found, command = known.known(), typer.main.get_command(app)
    monkeypatch.setattr(known, "_ask", lambda: found)  # the same answer, and the same parser, at every call
    monkeypatch.setattr(typer.main, "get_command", lambda _: command)
    monkeypatch.chdir(place)
    monkeypatch.setattr(running, "first_plan", accepted)
    monkeypatch.setattr(training, "fit", accepted)
    monkeypatch.setattr(showing, "show", accepted)
    monkeypatch.setattr(publishing, "publish", accepted)
    monkeypatch.setattr(socketserver.BaseServer, "serve_forever", accepted)
    monkeypatch.setattr(planning, "measured", lambda plan: planning.foretold(plan, Path("results")))


def commands() -> dict[str, list]:
    found = typer.main.get_command(app).commands
    return {name: command.params for name, command in found.items() if name not in LEFT_OUT}


def sentence(draw: random.Random, declared: dict[str, list]) -> list[str]:
    """A command and words for some of its parameters, most of them of the right kind."""
    name = draw.choice(list(declared))
    options = [p for p in declared[name] if p.param_type_name == "option" and p.name != "help"]
    arguments = [p for p in declared[name] if p.param_type_name == "argument"]
    said = [name]
    for option in draw.sample(options, min(len(options), draw.choice((0, 1, 1, 2, 3)))):
        said.append(draw.choice(option.opts))
        if not option.is_flag:
            said.append(value(draw, option.name))
    studies = [*STUDIES, "results/chunking-mnist-cpu", "pooling", "pooling"]
    said += [draw.choice(studies if draw.random() < 0.9 else WORDS) for _ in arguments]
    return said if draw.random() < 0.97 else [*said, draw.choice(WORDS)]


def value(draw: random.Random, option: str) -> str:
    if option == "settings" and draw.random() < 0.95:
        field = draw.choice([*ViTConfig.__dataclass_fields__, *Recipe.__dataclass_fields__])
        return f"{field}={draw.choice(WORDS)}"
    if option == "results" and draw.random() < 0.7:
        return "results"
    return draw.choice(WORDS)


def tried(words: list[str], capsys) -> str | None:
    """What is wrong with the answer to these words, if anything is."""
    with in_time(words):
        code = tiny.vit_ablate(*words)
    said = capsys.readouterr()
    if "Traceback" in said.out + said.err or "\x1b[31m" in said.out + said.err:
        return said.out + said.err
    if code == console.USAGE:
        one = said.err.count("\n") == 1 and said.err.strip()
        return None if one else f"{code}: {said.err!r}"
    return None if code == 0 else f"{code}: {said.err!r}"


def all_tried(seed: int, calls: int, capsys) -> list[str]:
    draw, declared, wrong = random.Random(seed), commands(), []
    for _ in range(calls):
        words = sentence(draw, declared)
        if found := tried(words, capsys):
            wrong.append(f"{words}\n    {found}"[:600])
    return wrong


@pytest.mark.usefixtures("harmless")
def test_any_words_are_answered(capsys):
    wrong = all_tried(0, CALLS, capsys)
    assert wrong == [], "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.usefixtures("harmless")
def test_any_words_are_answered_at_length(capsys):
    wrong = all_tried(1, 3 * CALLS, capsys)
    assert wrong == [], "\n".join(wrong)


def declaration(draw: random.Random) -> dict:
    """A declaration in which one or two things are odd."""
    names = [*ViTConfig.__dataclass_fields__, *Recipe.__dataclass_fields__]
    words = {
        "name": "odd",
        "question": "?",
        "base": tiny.MODEL,
        "recipe": tiny.RECIPE,
        "factors": {"pooling": ("cls", "mean")},
        "seeds": 2,
    }
    for _ in range(draw.choice((1, 1, 2))):
        kind = draw.choice(("level", "level", "level", "factor", "field", "own"))
        if kind == "own":
            words[draw.choice([*words, "quick", "quick_seeds"])] = draw.choice(VALUES)
        elif isinstance(words["factors"], dict):
            name = draw.choice(names) if kind != "factor" else draw.choice(["nosuch", "", 3, "seed"])
            levels = [draw.choice(VALUES) for _ in range(draw.choice((0, 1, 2, 3)))]
            field = getattr(tiny.MODEL, str(name), getattr(tiny.RECIPE, str(name), None))
            words["factors"] = {**words["factors"], name: draw.choice([(field, *levels), tuple(levels), levels])}
    return words


def test_any_declaration_plans_or_is_refused():
    draw, data, planned, messages = random.Random(1), load("mnist"), 0, []
    for _ in range(DECLARATIONS):
        words = declaration(draw)
        try:
            with in_time(words["factors"]):
                plan = expand(Study(**words), "cpu")
                check_data(plan, data)
                assert Plan.from_json(plan.to_json()) == plan
                planned += 1
        except REFUSALS as refused:
            messages.append(str(refused))
    assert all(0 < len(message) < 3000 for message in messages)
    assert DECLARATIONS / 20 < planned < DECLARATIONS * 0.9


@pytest.mark.parametrize("kind", [ViTConfig, Recipe])
def test_any_config_is_possible_or_refused(kind):
    draw, possible, messages, fields = random.Random(2), 0, [], [*kind.__dataclass_fields__]
    for _ in range(CONFIGS):
        chosen = {name: draw.choice(VALUES) for name in draw.sample(fields, draw.choice((1, 1, 2)))}
        try:
            with in_time(fields):
                kind(**chosen)
                possible += 1
        except REFUSALS as refused:
            messages.append(str(refused))
    assert all(0 < len(message) < 3000 for message in messages)
    assert CONFIGS / 50 < possible < CONFIGS / 2
