"""Plug-ins: a person's own components in one run, in every worker, in the hash of what uses them, and nowhere else."""

import csv
import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import tiny
import vit
from studies.cli.console import plugins_first
from studies.cli.doing import checking
from studies.design.study import STUDIES
from studies.training.recipe import Recipe
from studies.trial import plugins
from studies.trial.plugins import Plugin, PluginError, at_fault, load, registered_by, used_by
from studies.trial.setup import Setup
from vit import COMPONENTS, POSITIONALS, ViTConfig
from vit.contract import combinations

DOCS = Path(vit.__file__).parents[1] / "docs"
SCHEME, IMAGES = DOCS / "examples" / "my_scheme.py", DOCS / "examples" / "my_images.py"
HEAD = "from vit.positional import POSITIONALS, Positional\n\n@POSITIONALS.register('mine')\nclass Mine(Positional):\n"
SENTENCE = '    """Adds nothing at all."""\n'


@pytest.fixture(autouse=True)
def _as_before():
    studies = dict(STUDIES)
    yield
    for plugin in plugins.loaded():
        plugins.forget(plugin)
    STUDIES.clear()
    STUDIES.update(studies)


@pytest.fixture
def written(tmp_path):
    """Writes a plug-in; returns its path."""

    def write(source: str) -> str:
        path = tmp_path / "mine.py"
        path.write_text(source)
        return str(path)

    return write


@pytest.mark.parametrize("path", [SCHEME, IMAGES], ids=lambda path: path.stem)
def test_the_examples_keep_all_promises(path, capsys):
    assert tiny.vit_ablate("check", str(path)) == 0
    assert f"{path.name} {Plugin('', path.read_text()).digest}: all promises are kept" in capsys.readouterr().out


def test_what_the_page_shows_stands_in_the_example():
    blocks = re.findall(r"```python\n(.+?)```", (DOCS / "plugins.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    assert all(block in SCHEME.read_text() for block in blocks)


def test_a_study_of_a_plugin_runs_in_workers_and_the_rest_keeps_its_identity(tmp_path, capsys):
    words = ("--set", "depth=1", "--set", "embed_dim=8", "--set", "num_heads=1", "--set", "batch_size=1000")
    words = (*words, "--set", "epochs=1", "--seeds", "1", "--quick", "--results", str(tmp_path))
    assert tiny.vit_ablate("run", "rings", "--plugin", str(SCHEME), *words) == 0
    (table,) = tmp_path.glob("rings*/runs.csv")
    rows = {row["positional"]: row for row in csv.DictReader(table.open())}
    assert {name: row["status"] for name, row in rows.items()} == dict.fromkeys(
        ("none", "rings", "learned"), "complete"
    )
    digest = plugins.loaded()[0].digest
    assert {name: row["plugins"] for name, row in rows.items()} == {
        "none": "",
        "rings": f"my_scheme.py {digest}",
        "learned": "",
    }
    plugins.forget(plugins.loaded()[0])
    assert tiny.vit_ablate("report", str(table.parent)) == 2
    told = capsys.readouterr().err
    assert "unknown positional scheme 'rings'" in told
    assert "--plugin my_scheme.py" in told


def test_the_digest_is_in_the_hash_of_what_uses_it_alone(written):
    plain = Setup(ViTConfig(), Recipe(), "mnist")
    before = plain.content_hash
    path = written(HEAD + SENTENCE)
    first = load(path)
    mine = Setup(ViTConfig(positional="mine"), Recipe(), "mnist")
    assert registered_by(first) == [("positional", "mine")]
    assert used_by(mine.config, mine.recipe, "mnist") == [first]
    assert used_by(plain.config, plain.recipe, "mnist") == []
    assert plain.content_hash == before
    old = mine.content_hash
    plugins.forget(first)
    load(written(HEAD + SENTENCE + "\n# changed\n"))
    assert mine.content_hash != old
    assert plain.content_hash == before


def test_a_data_set_of_a_plugin_counts_too():
    plugin = load(str(IMAGES))
    assert used_by(ViTConfig(), Recipe(), "corners") == [plugin]


FAULTS = {
    "syntax": ("x = 1\ndef f(:\n    pass\n", 2, "SyntaxError"),
    "import": ("import math\n\nimport no_such_module\n", 3, "ModuleNotFoundError"),
    "taken": ("from vit import POOLINGS\n\n\nPOOLINGS.register('mean')(object)\n", 4, "'mean' is registered already"),
    "below": ("def f():\n    return 1 / 0\n\n\nf()\n", 2, "ZeroDivisionError"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_error_is_told_with_its_line_before_anything_starts(name, written, tmp_path, capsys):
    source, line, said = FAULTS[name]
    before = {field: dict(registry) for field, registry in COMPONENTS.items()}
    path = written(source)
    assert tiny.vit_ablate("run", "positional", "--plugin", path, "--results", str(tmp_path / "results")) == 2
    told = capsys.readouterr().err
    assert f"{path}:{line}: " in told
    assert said in told
    assert not (tmp_path / "results").exists()
    assert plugins.loaded() == ()
    assert {field: dict(registry) for field, registry in COMPONENTS.items()} == before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    def __init__(self, config):\n        super().__init__()\n", "{path}:7: TypeError: "),
        (
            "    def add(self, tokens):\n        return 1\n",
            "{path}: the model of 'mine' fails: TypeError:",
        ),
    ],
)
def test_an_error_of_a_model_shows_before_any_trial(body, said, written, tmp_path, capsys):
    path, results = written(HEAD + SENTENCE + body), tmp_path / "results"
    assert tiny.vit_ablate("run", "positional", "--plugin", path, *tiny.settings(), "--results", str(results)) == 2
    told = capsys.readouterr().err
    assert said.format(path=path) in told
    assert not results.exists()


BROKEN = {
    "weights drawn elsewhere": (
        "    def __init__(self, config):\n        super().__init__(config)\n        import torch\n"
        "        self.v = torch.nn.Parameter(torch.randn(config.embed_dim))\n\n"
        "    def add(self, tokens):\n        return tokens + self.v\n",
        "positional.v is drawn elsewhere",
    ),
    "a line that fails": ("    def add(self, tokens):\n        return tokens @ tokens\n", "mine.py:8: RuntimeError"),
    "nothing told of places": ("    def add(self, tokens):\n        return 2 * tokens\n", "where patches are shuffled"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_named(name, written, capsys, monkeypatch):
    monkeypatch.setattr(checking, "combinations", lambda **fixed: combinations(**fixed)[:3])  # a second each
    monkeypatch.setattr(checking.out, "_width", 400)
    body, said = BROKEN[name]
    assert tiny.vit_ablate("check", written(HEAD + SENTENCE + "\n" + body)) == 1
    out = capsys.readouterr().out
    assert said in out
    assert "broken" in out


def test_a_plugin_without_a_sentence_or_without_anything_is_told_so(written, capsys):
    assert tiny.vit_ablate("check", written("x = 1\n")) == 2
    assert "it registers nothing" in capsys.readouterr().err


def test_a_name_that_is_neither_file_nor_entry_point(capsys, tmp_path):
    assert tiny.vit_ablate("list", "--plugin", "nothing") == 2
    assert "neither a file my_scheme.py nor an entry point of vit_ablate.plugins" in capsys.readouterr().err
    assert tiny.vit_ablate("list", "--plugin", str(tmp_path / "no.py")) == 2
    assert "No such file" in capsys.readouterr().err


def test_an_installed_entry_point_is_found_by_its_name(monkeypatch, tmp_path):
    (tmp_path / "my_package_of_schemes.py").write_text(HEAD + SENTENCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("schemes", "my_package_of_schemes", plugins.GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == plugins.GROUP else [])
    assert registered_by(load("schemes")) == [("positional", "mine")]
    with pytest.raises(PluginError, match=r"plugin other: .*; installed: schemes"):
        load("other")


def test_a_plugin_is_loaded_once_and_must_not_change_meanwhile(written):
    path = written(HEAD + SENTENCE)
    assert load(path) is not load(path)
    assert list(POSITIONALS).count("mine") == 1
    written(HEAD + SENTENCE + "# another\n")
    with pytest.raises(PluginError, match="changed after it was loaded"):
        load(path)


def test_other_errors_are_nobodys(written):
    load(written(HEAD + SENTENCE))
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    assert at_fault(caught.value) is None


@pytest.mark.parametrize("words", [["run", "x"], [], ["run", "--quick", "x"]])
def test_the_option_may_stand_anywhere(words):
    for place in range(len(words) + 1):
        for option in (["--plugin", "a.py"], ["--plugin=a.py"]):
            assert plugins_first([*words[:place], *option, *words[place:]]) == [*option, *words]
    assert plugins_first(["--plugin", "a", "run", "--plugin", "b"]) == ["--plugin", "a", "--plugin", "b", "run"]
