"""The blocks of docs/tuning.md run."""

import re
import shlex
import warnings
from pathlib import Path

import pytest

import tiny
from studies.design.space import around
from studies.ledger.folder import ResultsFolder
from studies.ledger.samplers import TPE, Method
from studies.ledger.search import Search

TEXT = (Path(__file__).parents[1] / "docs" / "tuning.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", TEXT, re.DOTALL)
PYTHON = [block for language, block in BLOCKS if language == "python"]
LINES = [line for language, block in BLOCKS if not language for line in block.splitlines()]
COMMANDS = [line.removeprefix("PYTHONPATH=. ") for line in LINES]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one(line, capsys):
    program, *words = shlex.split(line)
    assert program == "vit-ablate"
    assert tiny.vit_ablate(*words, "--help") == 0
    assert "Usage" in capsys.readouterr().out


def test_optuna_shows_what_the_page_says(tmp_path, monkeypatch, capsys):
    ledger = ResultsFolder(tmp_path / "results" / "pooling-tuned-mnist-cpu").ledger(create=True)
    space = around(tiny.RECIPE)
    search = Search(ledger, "tuning/cls", {"val_accuracy": "maximize"}, space, Method(), {"arm": "cls"})
    for place in range(4):
        (found,) = search.ask([place])
        value = 0.9 - found.settings["learning_rate"]
        curve = [{"epoch": n, "val_accuracy": value} for n in (1, 2)]
        search.complete(found, [value], {"curve": curve})
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for code in PYTHON:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of optuna: too few trials for a contour, and the like
            exec(compile(code, "docs/tuning.md", "exec"), names)
    said = capsys.readouterr().out
    assert {path.stem for path in tmp_path.glob("*.png")} >= {"slice", "contour", "param_importances"}
    sampler = Method(f"{__name__}.Timid")
    monkeypatch.setitem(globals(), "Timid", names["Timid"])
    sampler.check(space)
    assert sampler.sampler(3)._rng.rng.randint(9**9) == Method(TPE).sampler(3)._rng.rng.randint(9**9)
    for word in ("val_accuracy", "params_learning_rate", "COMPLETE", "weight_decay", "{1: 0."):
        assert word in said
