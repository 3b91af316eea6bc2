"""Figures and the README show what was decided."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_rgba

import tiny
from studies.report.charts import forest_chart
from studies.report.figures import VERDICT_MARKS, effects_figure
from studies.report.publishing import publish
from studies.statistics.verdicts import VERDICTS
from told import ALTERNATING, BASE, Told


@pytest.fixture(scope="module")
def told():
    """Four levels beside the baseline, one of each verdict."""
    quiet = 0.0003 * ALTERNATING
    arms = {"0": BASE, "1": BASE + 0.01 + quiet, "2": BASE - 0.01 + quiet, "4": BASE + 0.0002 + quiet}
    found = Told(arms | {"7": BASE + 0.01 * ALTERNATING}, {"num_registers": (0, 1, 2, 4, 7)})
    assert tuple(found.effects["verdict"]) == VERDICTS
    return found


def test_the_figure_marks_every_verdict_and_the_margin(told):
    axes = effects_figure(told.plan, told.effects, told.contrasts).axes[0]
    (band,) = axes.patches
    assert (band.get_x(), band.get_width()) == pytest.approx((-0.2, 0.4))
    points = {line.get_ydata()[0]: line for line in axes.lines if len(line.get_xdata()) == 1}
    labels = [label.get_text() for label in axes.get_yticklabels()]
    for y, (_, row) in enumerate(told.effects.iloc[::-1].iterrows()):
        shape, full = VERDICT_MARKS[row["verdict"]]
        assert points[y].get_xdata()[0] == pytest.approx(100 * row["difference"])
        assert points[y].get_marker() == shape
        assert (to_rgba(points[y].get_markerfacecolor()) != to_rgba("white")) == full
        assert labels[y].endswith(row["verdict"])


def test_decided_equivalent_and_undecided_look_different():
    assert len({VERDICT_MARKS[word] for word in ("better", "equivalent", "undecided")}) == 3
    assert VERDICT_MARKS["better"] == VERDICT_MARKS["worse"]


def test_the_chart_of_the_page_marks_every_verdict(told):
    wide = str(forest_chart(told.effects, told.contrasts)).split("</svg>")[0]
    groups = re.findall(r"<title>.*?; (\w+)</title>.*?</g>", wide, re.S)
    assert groups == list(VERDICTS)
    parts = re.findall(r"<title>.*?</g>", wide, re.S)
    marks = [re.findall(r"<(?:circle|path)[^>]*>", part)[-1] for part in parts]
    drawn = [(mark[1:].split()[0], "open" in mark) for mark in marks]
    assert drawn == [("circle", False), ("circle", False), ("path", False), ("circle", True)]
    assert 'class="band"' in wide


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Mean pooling loses a point for sure in either of two settings."""
    made = tiny.plan({"depth": (1, 2), "pooling": ("cls", "mean")}, seeds=5)
    home = tiny.ResultsFolder(tmp_path_factory.mktemp("r") / "tiny-mnist-cpu")
    ledger = home.ledger(create=True)
    ledger.plan = made
    ledger.note("provenance", {"command": "vit-ablate run tiny", "workers": 1, "machine": {}})
    ledger.add_measurement({cell.content_hash: tiny.measured(1) for cell in made.cells})
    for trial in made.trials:
        noise = np.random.default_rng([trial.seed, len(trial.cell.name), ord(trial.cell.name[0])]).normal(0, 5e-4)
        accuracy = 0.9 - 0.01 * (trial.cell.levels["pooling"] == "mean") + noise
        entry = ledger.enqueue(trial)
        ledger.claim(entry)
        scored = tiny.scored(0) | {"test_accuracy": accuracy, "val_accuracy": accuracy}
        ledger.complete(entry, tiny.described(trial) | scored)
    return publish(ledger, home)


def test_the_readme_begins_with_the_answer_and_has_effects_settings_and_details(folder):
    text = (folder.folder / "README.md").read_text(encoding="utf-8")
    head = text.split("\n## ")[0]
    assert re.search(r"- \*\*Choose\.\*\* Keep `pooling` cls: mean costs (0\.9|1\.0)\d points \(", head)
    assert len(re.findall(r"^- \*\*", head, re.M)) <= 5
    sections = re.findall(r"^## (.*)$", text, re.M)
    assert [name.split(" `")[0] for name in sections][:4] == [
        "Arms, the best mean test accuracy first",
        "What each choice changes",
        "Arms against the baseline",
        "Further",
    ]
    effects = text.split("## What each choice changes")[1].split("\n## ")[0]
    assert re.search(r"\| pooling +\| mean +\| cls .*worse", effects)
    assert "depth=2" in effects  # the settings
    assert "- **Luck.** " in text.split("## Further")[1]


def test_the_command_line_says_the_same_answer(folder, capsys):
    assert tiny.vit_ablate("report", folder.folder.name, "--results", str(folder.folder.parent)) == 0
    said = " ".join(capsys.readouterr().out.split())
    for sentence in folder.sentences:
        assert " ".join(sentence.text.replace("`", "").split()) in said
