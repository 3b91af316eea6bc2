"""Results as objects, and figures for papers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import studies
import tiny
from studies.findings.saved import ExportError
from studies.report.publishing import publish
from studies.report.saved_study import load_results
from vit import pretrained


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    ledger = tiny.filled(tmp_path_factory.mktemp("results") / "tiny-mnist-cpu")
    return publish(ledger, tiny.home(ledger)).folder


@pytest.fixture(scope="module")
def bare(folder, tmp_path_factory):
    """The tables alone, as git keeps them."""
    copy = tmp_path_factory.mktemp("bare") / folder.name
    copy.mkdir()
    for name in ("runs.csv", "cells.csv", "contrasts.csv", "README.md"):
        (copy / name).write_bytes((folder / name).read_bytes())
    return copy


def test_results_are_read_without_their_storage(bare, folder):
    found = studies.load_results(bare)
    assert {*found.runs["cell"]} < {*found.cells["cell"]}  # some cannot be
    assert list(found.told.factors) == list(found.cells)[1 : list(found.cells).index("baseline")]
    assert found.answer
    assert all(f"**{topic}.**" in (folder / "README.md").read_text() for topic, _ in found.answer)
    assert set(found.effects["factor"]) <= set(found.told.factors)


def test_a_notebook_shows_answer_and_arms_escaped(bare):
    found = load_results(bare)
    found.cells.loc[0, "cell"] = "<script>"
    shown = found._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown
    assert shown.count("<tr") == len(found.cells) + 1
    assert repr(found).startswith("tiny-mnist-cpu: ")


def test_figures_are_objects_that_show_and_save_themselves(bare, tmp_path):
    found = load_results(bare)
    drawn = found.figures()
    assert {"accuracy", "effects"} <= set(drawn)
    assert drawn["accuracy"]._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(ExportError, match=r"choices: accuracy"):
        found.figure("nosuch")
    with pytest.raises(ExportError, match=r"\.png, \.svg or \.pdf"):
        drawn["accuracy"].save(tmp_path / "a.doc")


def test_a_pdf_is_a_column_wide_its_fonts_embedded_and_twice_the_same(bare, tmp_path):
    words = ["figures", str(bare), "--to", str(tmp_path / "a"), "--width", "3.25in"]
    assert tiny.vit_ablate(*words) == 0
    content = (tmp_path / "a" / "accuracy.pdf").read_bytes()
    left, bottom, right, top = map(float, re.search(rb"/MediaBox \[([^\]]*)\]", content)[1].split())
    assert right - left == pytest.approx(234, abs=0.5)
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    words[3] = str(tmp_path / "b")
    assert tiny.vit_ablate(*words) == 0
    assert (tmp_path / "b" / "accuracy.pdf").read_bytes() == content
    assert top > bottom


@pytest.mark.parametrize("words", [["--width", "wide"], ["--width", "0.1in"], ["--format", "doc"]])
def test_what_is_no_width_or_format_is_refused(bare, tmp_path, words, capsys):
    assert tiny.vit_ablate("figures", str(bare), "--to", str(tmp_path), *words) == 2
    assert "for example 3.25in" in (said := capsys.readouterr().err) or "choices: pdf, svg, png" in said


@pytest.mark.slow
def test_a_script_without_a_main_part_is_refused_before_anything_is_written(tmp_path):
    script = tmp_path / "bare.py"
    script.write_text("import studies\nstudies.run('pooling', 'results', seeds=1, quick=True)\n")
    paths = os.pathsep.join(str(path) for path in (Path(studies.__file__).parents[1], os.environ.get("PYTHONPATH", "")))
    ended = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].endswith('below `if __name__ == "__main__":`')
    assert list(tmp_path.iterdir()) == [script]


def test_a_study_is_run_and_returned_from_python(tmp_path, monkeypatch):
    from studies.report import from_python

    made = tiny.study({"pooling": ("cls", "mean")})
    found = from_python.run(made, tmp_path, quick=True)
    assert set(found.runs["status"]) == {"complete"}
    assert set(found.runs["seed"]) == {0}
    monkeypatch.setattr(from_python.Runner, "_train", lambda self: pytest.fail("trained twice"))
    assert len(from_python.run(made, tmp_path, quick=True).runs) == len(found.runs)


def test_the_package_is_light_until_something_is_asked_for():
    code = "import studies, sys; print([m for m in ('torch', 'pandas', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert set(studies.__all__) == {"judge", "load_results", "run"}
    assert all(callable(getattr(studies, name)) for name in studies.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nosuch'"):
        studies.nosuch  # noqa: B018
    assert pretrained.CONFIG == "vit_config"
