"""Results that were copied without their storage: a run goes on from them, a report is written from them."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

import tiny
from studies.findings.importing import ForeignResultsError, finished_in, ledger_from, notes_in
from studies.findings.saved import ExportError
from studies.ledger.folder import ResultsFolder
from studies.ledger.portable import adopt
from studies.report.publishing import publish
from studies.running.queue import known_to

FASTER = dataclasses.replace(tiny.RECIPE, learning_rate=0.02)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Complete, failed and waiting trials, an impossible arm and tuples as levels, as they were published."""
    folder = ResultsFolder(tmp_path_factory.mktemp("there") / "tiny-mnist-cpu")
    publish(tiny.filled(folder.path), folder)
    return folder


@pytest.fixture
def copied(told, tmp_path):
    shutil.copytree(told.path, tmp_path / told.name, ignore=shutil.ignore_patterns("study.db*", "*.lock"))
    return ResultsFolder(tmp_path / told.name)


def test_records_come_back_as_they_were(told, copied):
    there = {name: entry for name, entry in told.ledger().entries().items() if entry.state == "complete"}
    with ledger_from(copied) as ledger:
        assert ledger.plan == told.ledger().plan
        back = ledger.entries()
        assert back.keys() == there.keys()
        for name, entry in back.items():
            kept = json.loads(json.dumps(there[name].record))
            assert {field: entry.record.get(field) for field in kept} == kept
        assert ledger.measurement == told.ledger().measurement
        assert ledger.notes("looks") == told.ledger().notes("looks")


def test_a_report_is_written_from_tables_alone(copied, tmp_path, capsys):
    before = {path.name: path.read_bytes() for path in copied.path.iterdir() if path.is_file()}
    assert tiny.vit_ablate("report", str(copied.path), "--to", str(tmp_path / "new")) == 0, capsys.readouterr().err
    new = ResultsFolder(tmp_path / "new")
    assert new.table("contrasts").read_text() == copied.table("contrasts").read_text()
    assert "14x28/cls" in new.page.read_text(encoding="utf-8")
    assert {path.name: path.read_bytes() for path in copied.path.iterdir() if path.is_file()} == before


def test_a_search_is_told_from_its_table(tmp_path, capsys):
    published = Path(__file__).parents[2] / "results" / "published" / "pareto-mnist-cpu"
    assert tiny.vit_ablate("report", str(published), "--to", str(tmp_path)) == 0, capsys.readouterr().err
    there, here = (pd.read_csv(folder / "search.csv") for folder in (published, tmp_path))
    pd.testing.assert_frame_equal(here[list(there)], there)
    assert "48 configurations trained" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_a_search_whose_table_is_damaged_is_one_line(copied, tmp_path, capsys):
    copied.table("search").write_text("number,state\n0,complete\n")
    assert tiny.vit_ablate("report", str(copied.path), "--to", str(tmp_path / "new")) == 2
    assert "search.csv is damaged: it has no column 'configuration'" in capsys.readouterr().err


def test_verdicts_of_a_study_that_was_looked_at_are_not_made_anew_without_its_looks(copied, capsys):
    copied.notes.unlink()
    contrasts = copied.table("contrasts")
    frame = pd.read_csv(contrasts)
    frame.assign(looks=4).to_csv(contrasts, index=False)
    before = copied.readme.read_bytes()
    assert tiny.vit_ablate("report", str(copied.path)) == 2
    assert re.search(r"was looked at 4 times while it grew, .* would be too certain", capsys.readouterr().err)
    assert copied.readme.read_bytes() == before


def test_without_the_parquet_records_lack_nothing_but_curves_and_single_images(told, copied):
    copied.parquet.unlink()
    whole = {one.trial.content_hash: one.record for one in finished_in(told, told.ledger().plan)}
    for one in finished_in(copied, told.ledger().plan):
        record = one.record
        kept = {k: v for k, v in whole[one.trial.content_hash].items() if k not in ("curve", "test_correct")}
        floats = {name for name, value in kept.items() if isinstance(value, float)}
        assert {k: v for k, v in record.items() if k not in floats} == {k: kept[k] for k in kept.keys() - floats}
        assert {k: record[k] for k in floats} == pytest.approx({k: kept[k] for k in floats}, rel=1e-12)


def test_no_machine_and_no_driver_is_named(told):
    names = [run["driver"] for run in notes_in(told).get("runs", [])]
    assert set(names) <= {"elsewhere"}
    assert told.ledger().owner not in told.notes.read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipe": FASTER}, "14/cls has learning_rate 0.01 there, 0.02"),
        ({"factors": {"patch_size": (14, 5), "pooling": ("cls", "mean")}}, "it has no arm 14x28/cls, 14x28/mean"),
        ({"dataset": "fashion_mnist"}, "14/cls has other images"),
    ],
)
def test_trials_of_another_recipe_are_refused_with_what_differs(change, said, copied):
    factors = change.pop("factors", {"patch_size": (14, (14, 28), 5), "pooling": ("cls", "mean")})
    plan = tiny.plan(factors, base=tiny.MODEL.replace(chunking="tiles"), **change)
    with pytest.raises(ForeignResultsError, match="--overwrite trains all anew") as refused:
        finished_in(copied, plan)
    assert said in str(refused.value)


@pytest.mark.parametrize("harm", ["[]", "{", "\xff"])
def test_damaged_notes_are_named(harm, copied):
    copied.notes.write_bytes(harm.encode("latin-1"))
    with pytest.raises(ExportError, match=r"study\.json is damaged"):
        notes_in(copied)


def test_a_run_goes_on_from_finished_trials(told, copied):
    plan = told.ledger().plan
    ledger = copied.ledger(create=True)
    adopt(ledger, notes_in(copied), finished_in(copied, plan))
    queued = {q.trial.label: q.entry.state for q in known_to(ledger, plan, retry=())}
    assert {name for name, state in queued.items() if state != "complete"} == {"14x28/mean seed 2", "14/mean seed 1"}
    assert len(queued) == 12
    there = [entry for entry in told.ledger().entries().values() if entry.state == "complete"]
    accuracy = {entry.content_hash: entry.record["test_accuracy"] for entry in there}
    assert {name: ledger.entries()[name].record["test_accuracy"] for name in accuracy} == accuracy
