import dataclasses
import html
import re
import shutil

import matplotlib.image
import pytest

import tiny
from studies.findings.findings import find
from studies.ledger.entries import LedgerError
from studies.ledger.folder import ResultsFolder
from studies.report.figures import accuracy_figure, save_figures
from studies.report.page import page
from studies.report.publishing import publish
from studies.report.readme import readme_text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    ledger = tiny.filled(tmp_path_factory.mktemp("filled") / "tiny-mnist-cpu")
    return publish(ledger, tiny.home(ledger)).folder


@pytest.fixture(scope="module")
def readme(folder):
    return (folder / "README.md").read_text(encoding="utf-8")


def section(readme: str, title: str) -> str:
    return readme.split(f"\n## {title}")[1].split("\n## ")[0]


def cells_of(table: str) -> list[list[str]]:
    rows = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_the_readme_asks_the_question_and_counts(readme):
    assert readme.startswith("# tiny on mnist, cpu\n\nDoes it run?")
    assert "6 arms, 10 complete and 1 failed trials" in readme


def test_arms_are_ranked_with_intervals_and_the_baseline_is_marked(readme):
    rows = cells_of(section(readme, "Arms"))
    accuracies = [float(row[2]) for row in rows if row[2] != "–"]
    assert len(rows) == 6
    assert accuracies == sorted(accuracies, reverse=True)
    assert len(accuracies) == 4
    assert [row[0] for row in rows if "baseline" in row[0]] == ["**14/cls** (baseline)"]
    assert all(re.fullmatch(r"\d+\.\d\d to \d+\.\d\d", row[3]) for row in rows[:4])
    for row in rows[:4]:  # validation is a point lower there, and every training took 1.5 seconds
        assert float(row[5]) == pytest.approx(float(row[2]) - 1, abs=0.011)
        assert row[6] == "1.5"
    assert "1,000 ± 10" in {row[7] for row in rows}


def test_effects_and_contrasts_are_tabled(readme):
    changes = section(readme, "What each choice changes").split("<details>")[0]
    assert [row[:3] for row in cells_of(changes)] == [
        ["patch_size", "(14, 28)", "14"],
        ["pooling", "mean", "cls"],
    ]
    assert {row[0] for row in cells_of(section(readme, "Arms against"))} == {"14/mean", "14x28/cls", "14x28/mean"}


def test_failures_are_listed_once_each(readme):
    rows = cells_of(section(readme, "Failures"))
    assert rows[0][:4] == ["14/mean", "1", "nan", "DivergedError: training loss is nan"]
    assert [row[:2] for row in rows[1:]] == [["5/cls", "all"], ["5/mean", "all"]]
    assert all("cannot be: patch_size=5" in row[3] for row in rows[1:])


def test_provenance_says_what_made_it(readme):
    text = section(readme, "Provenance")
    for fact in ("command: `vit-ablate run tiny`", "workers: 2", "cpu: Abacus 1", "commit: ", "torch: 2", "python: 3"):
        assert fact in text, fact
    assert "commit: nan" not in text


def test_every_figure_is_a_picture_and_is_shown(folder, readme):
    shown = re.findall(r"\]\((figures/\w+\.png)\)", readme)
    assert set(shown) == {"figures/accuracy.png", "figures/effects.png", "figures/speed.png"}
    for name in shown:
        pixels = matplotlib.image.imread(folder / name)
        assert pixels.shape[0] > 100
        assert pixels.std() > 0.01
        assert (folder / name).with_suffix(".svg").stat().st_size > 1000


def test_nothing_temporary_is_left(folder):
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "README.md",
        "cells.csv",
        "contrasts.csv",
        "figures",
        "provenance.json",
        "report.html",
        "runs.csv",
        "runs.parquet",
        "study.db",
        "study.json",
        "study.lock",
    }


def test_everything_is_rebuilt_alike_from_the_storage(folder, tmp_path):
    (tmp_path / folder.name).mkdir()
    shutil.copy(folder / "study.db", tmp_path / folder.name)
    copy = ResultsFolder(tmp_path / folder.name)
    publish(copy.ledger(), copy)
    figures = [f"figures/{path.name}" for path in (folder / "figures").iterdir()]
    assert len(figures) == 6
    for name in ("README.md", "report.html", "cells.csv", "contrasts.csv", "runs.csv", *figures):
        assert (tmp_path / folder.name / name).read_bytes() == (folder / name).read_bytes(), name


@pytest.mark.parametrize("state", ["waiting", "failed"])
def test_a_study_without_a_complete_trial_is_reported(tmp_path, state):
    ledger = ResultsFolder(tmp_path).ledger(create=True)
    ledger.plan = tiny.plan({"pooling": ("cls", "mean")}, seeds=1)
    for trial in ledger.plan.trials:
        entry = ledger.enqueue(trial)
        if state == "failed":
            ledger.claim(entry)
            ledger.fail(entry, "DivergedError: by itself", tiny.described(trial))
    publish(ledger, tiny.home(ledger))
    text = (tmp_path / "README.md").read_text()
    assert f"0 complete and {2 if state == 'failed' else 0} failed" in text
    assert ("by itself" in text) == (state == "failed")


def test_one_arm_alone_is_reported(tmp_path):
    ledger = ResultsFolder(tmp_path).ledger(create=True)
    ledger.plan = tiny.plan({}, seeds=2)
    for i, trial in enumerate(ledger.plan.trials):
        entry = ledger.enqueue(trial)
        ledger.claim(entry)
        ledger.complete(entry, tiny.described(trial) | tiny.scored(i))
    assert len(publish(ledger, tiny.home(ledger)).cells) == 1
    assert "**baseline** (baseline)" in (tmp_path / "README.md").read_text()


def test_what_never_ran_cannot_be_published(tmp_path):
    with pytest.raises(LedgerError, match="nothing was run in"):
        publish(ResultsFolder(tmp_path).ledger(create=True), ResultsFolder(tmp_path))


def test_names_that_are_markup_elsewhere_are_published_as_they_are(tmp_path):
    name = "a|<b>&_`$x_$"
    ledger = tiny.filled(tmp_path / "tiny-mnist-cpu")
    found = find(ledger)
    cells, runs = (frame.replace({"cell": {"14/mean": name}}) for frame in (found.cells, found.runs))
    contrasts = found.contrasts.replace({"a": {"14/mean": name}})
    front = found.speed_front.rename(index={"14/mean": name})
    found = dataclasses.replace(found, cells=cells, runs=runs, contrasts=contrasts, speed_front=front)
    rows = cells_of(section(readme_text(found, ["figures/accuracy.png"]), "Arms, the").replace(r"\|", "¦"))
    assert [row[0] for row in rows if "¦" in row[0]] == [r"a¦\<b>&\_\`\$x\_\$"]
    assert {len(row) for row in rows} == {13}
    assert html.escape(name) in page(found)
    (tmp_path / "figures").mkdir()
    save_figures(
        tmp_path, {"accuracy": accuracy_figure(found.plan, runs, cells, found.contrasts)}
    )  # to matplotlib, $x_$ is wrong maths
