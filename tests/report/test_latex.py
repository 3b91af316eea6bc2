"""A table that a paper takes as it is."""

import re
import shutil
import subprocess

import pandas as pd
import pytest

import tiny
from studies.findings.saved import read_table
from studies.report.export import DEFAULT_COLUMNS, FOR_LATEX, columns_of, with_verdicts
from studies.report.latex import escaped, maths, to_latex
from studies.report.publishing import publish

CELLS = pd.DataFrame(
    {
        "cell": ["a_1", "b&c|d`", "base", "same"],
        "baseline": [False, False, True, False],
        "n": [5, 5, 5, 5],
        "test_accuracy_mean": [0.98, 0.9, 0.97191, 0.972],
        "test_accuracy_sd": [0.0008, 0.102, 0.0007, 0.001],
        "test_accuracy_low": [0.97, 0.8, 0.96, 0.97],
        "test_accuracy_high": [0.99, 1.0, 0.98, 0.98],
        "params": [28202, 1, 2, 3],
        "verdict": ["better", "worse", None, "equivalent"],
        "family_size": [3.0, 3.0, None, 3.0],
        "alpha": [0.05, 0.05, None, 0.05],
        "margin": [0.002, 0.002, None, 0.002],
    }
)


def written(*names, frame=CELLS, kind="cells", caption="study_1: cells"):
    return to_latex(frame, columns_of(kind, frame, names), caption)


def rows(text):
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    return [[cell.strip() for cell in line.removesuffix(r" \\").split(" & ")] for line in body.strip().split("\n")]


def test_a_mark_stands_on_the_accuracy_and_bold_only_where_better():
    text = written("cell", "accuracy", "params", "verdict")
    assert rows(text) == [
        [r"a\_1", r"$\mathbf{98.00} \pm \phantom{0}0.08$", "$28{,}202$"],
        [r"b\&c\textbar{}d\textasciigrave{}", r"$90.00^{\downarrow} \pm 10.20$", "$1$"],
        ["base (baseline)", r"$97.19 \pm \phantom{0}0.07$", "$2$"],
        ["same", r"$97.20^{\approx} \pm \phantom{0}0.10$", "$3$"],
    ]
    assert text.count(r"\mathbf") == 1


def test_without_the_verdict_nothing_is_bold_or_marked():
    text = written("cell", "accuracy", "interval")
    assert not re.search(r"mathbf|downarrow|approx|Holm", text)
    assert "$[97.00, 99.00]$" in text
    assert "95\\,\\% Student's t intervals" in text


def test_caption_and_label_say_n_test_and_family():
    text = written("cell", "accuracy", "verdict")
    (caption,) = re.findall(r"\\caption\{(.*)\}\n", text)
    assert caption.startswith(r"study\_1: cells. $n = 5$ seeds: mean $\pm$ standard deviation.")
    assert r"moderated t test on paired seeds, Holm-adjusted over a family of 3 at 5\,\%" in caption
    assert r"equivalent within $\pm0.2$ points" in caption
    assert r"\label{tab:study-1-cells}" in text
    uneven = written("cell", "accuracy", frame=CELLS.assign(n=[3, 5, 5, 5]))
    assert "$n = 3$ to $5$ seeds" in uneven


def test_a_mark_that_nobody_bears_is_not_explained():
    text = written("cell", "accuracy", "verdict", frame=CELLS.assign(verdict=["better", None, None, None]))
    assert "downarrow" not in text
    assert "bold: better" in text


def test_contrasts_keep_their_verdict_as_a_word_and_a_minus_is_one():
    frame = pd.DataFrame({"a": ["x"], "difference": [-0.01], "verdict": ["worse"], "n": [4]})
    text = written("a", "difference", "verdict", frame=frame, kind="contrasts")
    assert rows(text) == [["x", "$-1.00$", "worse"]]
    assert "Verdicts (moderated t test on paired seeds" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("97.19 ± 0.08", r"$97.19 \pm 0.08$"),
        ("−0.43 to +0.07", "$[-0.43, +0.07]$"),
        ("12,719", "$12{,}719$"),
        ("< 0.001", "$< 0.001$"),
        ("∞", r"$\infty$"),
        ("–", "--"),
        ("1.4e_5", r"1.4e\_5"),
    ],
)
def test_numbers_become_maths(text, said):
    assert maths(text) == said


def test_everything_that_latex_reads_is_escaped():
    hostile = "\\input{x} $a$ #%&_{}~^`<>|"
    assert not re.search(r"(?<!\\)[$#%&_]", escaped(hostile).replace(r"\textbackslash{}", ""))
    assert r"\input" not in escaped(hostile)


@pytest.mark.parametrize("kind", ["cells", "contrasts", "runs"])
def test_every_row_has_as_many_cells_as_columns_and_braces_balance(kind, folder):
    frame = read_table(folder, kind)
    if kind == "cells":
        frame = with_verdicts(frame, read_table(folder, "contrasts"))
    text = to_latex(frame, columns_of(kind, frame, list(frame)), "caption")
    (align,) = re.findall(r"begin\{tabular\}\{([lr]+)\}", text)
    assert {len(row) for row in rows(text)} == {len(align)}
    assert len(rows(text)) == len(frame)
    bare = re.sub(r"\\[{}\\]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    ledger = tiny.filled(tmp_path_factory.mktemp("results") / "tiny-mnist-cpu")
    return publish(ledger, tiny.home(ledger)).folder


def test_the_command_prints_a_paper_table(folder, capsys):
    words = ["table", "tiny", "--results", str(folder.parent), "--format", "latex"]
    assert tiny.vit_ablate(*words, "--rename", "mean=Mean", "--digits", "1") == 0
    text = capsys.readouterr().out
    assert "/Mean" in text
    assert re.search(r"\$\d+\.\d\S* \\pm \S*\d+\.\d\$", text)
    assert tiny.vit_ablate(*words, "--rename", "nosuch=x") == 2


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex: apt-get install texlive-latex-recommended")
def test_latex_itself_takes_every_table_and_none_leaves_the_page(folder, tmp_path):
    told = CELLS.assign(cell=[r"a_1 % #1 \x{}", "b&c|d`^~<>", "−∞±×ω²–$", "same"])
    published = {kind: read_table(folder, kind) for kind in ("cells", "contrasts", "runs")}
    published["cells"] = with_verdicts(published["cells"], published["contrasts"])
    tables = [written("cell", "accuracy", "interval", "params", "verdict", frame=told)]
    for kind, frame in published.items():
        names = FOR_LATEX.get(kind) or DEFAULT_COLUMNS[kind]
        tables.append(written(*names, frame=frame.head(40), kind=kind, caption=f"{folder.name}: {kind}"))
    lines = [r"\documentclass{article}", r"\usepackage[margin=1in]{geometry}", r"\usepackage{booktabs}"]
    text = "\n".join([*lines, r"\begin{document}", *tables, r"\end{document}"])
    (tmp_path / "t.tex").write_text(text, encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "t.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert (tmp_path / "t.pdf").stat().st_size > 10_000
