"""Studies of a person's own on the command line, and the page that shows them: its blocks are run here."""

import json
import re
import shlex
from pathlib import Path

import pytest

import tiny
import vit
from studies.cli.declaring import Design
from studies.design.designs import DESIGNS
from studies.design.study import Study

PAGE = Path(vit.__file__).parents[1] / "docs" / "own-studies.md"
SMALL = ["--factor", "pooling=cls,mean", "--factor", "epochs=1,2", *tiny.settings()[:-4], "--set", "batch_size=5000"]


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_command_of_the_page_runs(capsys, tmp_path):
    lines = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines() if line[:2] == "$ "]
    assert len(lines) >= 7
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "vit-ablate"
        assert tiny.vit_ablate(*words) == 0, capsys.readouterr()
        if words[0] == "new":  # six arms as it is
            file = tmp_path / words[1]
            file.write_text(file.read_text().replace("(0, 4)", "(0,)").replace('"horizontal", ', ""))
    said = capsys.readouterr().out
    assert "6 arms × 8 seeds = 48 trials" in said
    assert "cannot be told apart: " in said
    assert "fraction of resolution III, 8 of 32 combinations" in said
    (folder,) = tmp_path.glob("results/my_study~*")
    assert folder.name in said  # `status`
    assert set(re.findall(r"^(\w+/0),1$", said, re.MULTILINE)) == {"vertical/0", "tiles/0"}


def test_the_python_of_the_page_declares_a_study():
    (code,) = blocks("python")
    names: dict = {}
    exec(code, names)
    assert isinstance(names["study"], Study)


def test_the_words_for_a_design_are_the_designs():
    assert [str(design) for design in Design] == list(DESIGNS)


def test_a_plan_as_json_says_what_the_table_says(capsys):
    assert tiny.vit_ablate("plan", *SMALL, "--seeds", "3", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["trials"], said["seeds"], said["baseline"]) == (12, [0, 1, 2], "cls/2")
    assert re.fullmatch(r"pooling-epochs~[0-9a-f]{8}\+.*-mnist-cpu", said["folder"])
    assert [arm["arm"] for arm in said["arms"]] == ["cls/1", "cls/2", "mean/1", "mean/2"]
    assert said["design_says"] == ["design: full factorial, all 4 combinations"]
    assert 0 < said["detectable"] < 0.02
    assert said["seconds"] > sum(arm["seconds"] for arm in said["arms"])


def test_a_plan_shows_tuning_trials_and_their_time(capsys):
    assert tiny.vit_ablate("plan", *SMALL, "--seeds", "3", "--tune", "5", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["search"]["trials"], said["trials"], said["comparisons"]) == (4 * 5, 8 * 3, 7)
    assert said["seconds"] > said["search"]["seconds"] > 0
    assert [arm["hash"] is None for arm in said["arms"]] == [not name.endswith("fixed") for name in names(said)]
    assert names(said)[-2:] == ["mean/1/tuned", "mean/2/tuned"]


def test_a_plan_of_a_search_shows_its_trials_and_the_arms_it_may_add(capsys):
    words = ["--set", "train_images=5000", "--seeds", "2"]
    assert tiny.vit_ablate("plan", "pareto", *words, "--tune", "6") == 0
    said = capsys.readouterr().out
    assert "search first: 6 configurations, " in said
    assert "at most 9 arms × 2 seeds = 18 trials" in said
    assert "(8 comparisons" in said


def names(said):
    return [arm["arm"] for arm in said["arms"]]


def test_more_seeds_detect_less_and_one_detects_nothing(capsys):
    found = []
    for seeds in ("1", "3", "9"):
        assert tiny.vit_ablate("plan", *SMALL, "--seeds", seeds, "--json") == 0
        found.append(json.loads(capsys.readouterr().out)["detectable"])
    assert found[0] is None
    assert found[1] > found[2] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan"], "say what to study: a name that `vit-ablate list` shows, a file that `vit-ablate new` writes"),
        (["run", "gone.py"], "there is no file gone.py; `vit-ablate new gone.py` writes one"),
        (["plan", "--factor", "nosuch=1"], "unknown setting 'nosuch'"),
        (["plan", "--factor", "depth=1,2", "--set", "depth=1"], "--set depth fixes what is a factor"),
        (["plan", "--factor", "depth=1,2", "--baseline", "depth=3"], "depth=3 of the baseline of 'depth' is none of"),
        (["plan", "pooling", "--seeds", "0"], "greater than or equal to 1"),
        (["plan", "pooling", "--design", "latin"], "'latin' is not one of"),
        (["plan", "pooling", "--tune", "0"], "--tune 0: tune every arm by one trial at least"),
        (["plan", "pooling", "--sampler", "x"], "--sampler x goes with --tune N"),
        (["run", "pooling", "--tune", "2", "--sampler", "os.path"], "--sampler os.path is no sampler of Optuna"),
        (["plan", "pareto", "--pruner", "x"], "--pruner x: nothing is pruned where there are several objectives"),
        (["plan", "broken.py"], "broken.py:2: SyntaxError: "),
        (["table", "broken.py"], "broken.py:2: SyntaxError: "),
        (["new", "broken.py"], "broken.py is there already"),
        (["new", "study.txt"], "study.txt must be called like a Python file, for example study.py"),
        (["new", ""], "must be called like a Python file, for example my_study.py"),
    ],
)
def test_bad_words_end_with_one_line_and_code_2_before_anything_runs(words, said, capsys, tmp_path):
    (tmp_path / "broken.py").write_text("import math\nfactors = = 3\n")
    assert tiny.vit_ablate(*words) == 2
    output = capsys.readouterr()
    assert said in " ".join((output.out + output.err).replace("│", " ").split())
    assert not list(tmp_path.glob("results/*"))
