"""Reading a results folder: by path or name, with a storage or without, whole or damaged; nothing is ever written."""

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

import tiny
from studies.cli.doing.looking import draw_pictures, target_of
from studies.ledger.folder import ResultsFolder
from studies.report.publishing import publish


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """A study with storage and tables, one with tables only, one that was never written."""
    root = tmp_path_factory.mktemp("results")
    ledger = tiny.filled(root / "whole-mnist-cpu")
    publish(ledger, tiny.home(ledger))
    shutil.copytree(root / "whole-mnist-cpu", root / "tables-mnist-cpu")
    (root / "tables-mnist-cpu" / "study.db").unlink()
    tiny.filled(root / "unwritten-mnist-cpu")
    return root


def said(capsys, *words: str) -> str:
    assert tiny.vit_ablate(*words) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def bytes_of(root: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


READ = [
    ["status"],
    ["status", "--json"],
    *[["table", name, *more] for name in ("whole", "tables") for more in ([], ["--table", "runs"], ["--json"])],
]


@pytest.mark.parametrize("words", READ, ids=" ".join)
def test_reading_changes_no_byte(results, capsys, words):
    before = bytes_of(results)
    said(capsys, *words, "--results", str(results))
    assert bytes_of(results) == before


@pytest.mark.parametrize("command", ["table", "status"])
@pytest.mark.parametrize("study", ["whole", "tables"])
def test_a_study_is_meant_by_its_name_or_its_path(results, capsys, monkeypatch, command, study):
    by_name = said(capsys, command, study, "--results", str(results))
    assert said(capsys, command, str(results / f"{study}-mnist-cpu")) == by_name
    monkeypatch.chdir(results.parent)
    assert f"{study}-mnist-cpu" in said(capsys, command, f"{results.name}/{study}-mnist-cpu/")


def test_a_table_is_as_it_was_written_until_it_is_rebuilt(results, capsys, tmp_path):
    folder = shutil.copytree(results / "whole-mnist-cpu", tmp_path / "whole-mnist-cpu")
    cells = (folder / "cells.csv").read_text().replace("14/cls", "14/renamed")
    (folder / "cells.csv").write_text(cells)
    assert "14/renamed" in said(capsys, "table", str(folder))
    assert "14/renamed" not in said(capsys, "table", str(folder), "--rebuild")
    assert (folder / "cells.csv").read_text() == (results / "whole-mnist-cpu" / "cells.csv").read_text()


def test_trials_that_came_in_since_are_told_of_with_a_command_that_works(results, capsys, tmp_path):
    folder = shutil.copytree(results / "whole-mnist-cpu", tmp_path / "a b-mnist-cpu")
    os.utime(folder / "study.db", (2e9, 2e9))
    assert tiny.vit_ablate("table", str(folder)) == 0
    hint = capsys.readouterr().err
    assert f"`vit-ablate table '{folder}' --rebuild`" in hint


def test_a_study_whose_tables_were_never_written_has_them_all_the_same(results, capsys):
    for kind, part in (("cells", "14x28/mean"), ("runs", "DivergedError"), ("contrasts", "Holm")):
        assert part in said(capsys, "table", "unwritten", "--table", kind, "--results", str(results))
    assert not (results / "unwritten-mnist-cpu" / "cells.csv").exists()


def test_json_has_the_numbers_in_full(results, capsys):
    found = json.loads(said(capsys, "table", "whole", "--results", str(results), "--json", "--where", "n=3"))
    assert {row["n"] for row in found["rows"]} == {3}
    assert all(0.85 < row["test_accuracy_mean"] < 0.96 for row in found["rows"])
    rows = json.loads(said(capsys, "status", "--results", str(results), "--json"))
    assert {row["study"]: row["complete"] for row in rows} == {
        "tables-mnist-cpu": 10,
        "unwritten-mnist-cpu": 10,
        "whole-mnist-cpu": 10,
    }
    assert "tables only" in rows[0]["notes"][-1]


def test_status_is_one_row_a_folder_whatever_lies_in_it(results, capsys, tmp_path):
    for name in ("torn", "middle", "zero", "foreign", "folder", "text"):
        (tmp_path / f"{name}-mnist-cpu").mkdir()
    whole = (results / "whole-mnist-cpu" / "study.db").read_bytes()
    third = len(whole) // 3
    (tmp_path / "torn-mnist-cpu" / "study.db").write_bytes(whole[: 2 * third])
    (tmp_path / "middle-mnist-cpu" / "study.db").write_bytes(whole[:third] + b"Z" * third + whole[2 * third :])
    (tmp_path / "zero-mnist-cpu" / "study.db").touch()
    (tmp_path / "folder-mnist-cpu" / "study.db").mkdir()
    (tmp_path / "text-mnist-cpu" / "runs.csv").write_text('a,"b\n\x00')
    with sqlite3.connect(tmp_path / "foreign-mnist-cpu" / "study.db") as foreign:
        foreign.execute("CREATE TABLE mine (x)")
    shutil.copytree(results / "whole-mnist-cpu", tmp_path / "whole-mnist-cpu")
    before = bytes_of(tmp_path)
    rows = {row["study"]: row for row in json.loads(said(capsys, "status", "--results", str(tmp_path), "--json"))}
    assert bytes_of(tmp_path) == before
    assert len(rows) == 7
    assert rows["whole-mnist-cpu"]["complete"] == 10
    for name, row in rows.items():
        if name != "whole-mnist-cpu":
            assert row["complete"] is None
            assert "cannot read" in row["notes"][0]


@pytest.mark.parametrize(
    ("harm", "part"),
    [
        (lambda text: "", "damaged"),
        (lambda text: '\x00\xff\n,,"', "damaged"),
        (lambda text: text[: len(text) // 2], "its last line is cut short"),
        (lambda text: "".join(f"{line.split(',', 1)[1]}\n" for line in text.splitlines()), "it has no column 'cell'"),
        (lambda text: text.replace("0.9", "x.9"), "where numbers do"),
    ],
    ids=["empty", "noise", "cut short", "a column lost", "words"],
)
@pytest.mark.parametrize(
    ("place", "cure"), [("tables", "copy the folder again"), ("whole", " --rebuild` writes it anew")]
)
def test_a_damaged_table_says_so_and_how_to_mend_it(results, capsys, tmp_path, harm, part, place, cure):
    folder = shutil.copytree(results / f"{place}-mnist-cpu", tmp_path / "bad-mnist-cpu")
    (folder / "cells.csv").write_text(harm((folder / "cells.csv").read_text()), encoding="latin-1")
    assert tiny.vit_ablate("table", str(folder)) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert part in message
    assert f"{folder}/cells.csv" in message
    assert cure in message


def test_a_folder_that_is_none_is_told_apart_from_a_name_that_is_none(capsys, tmp_path):
    assert tiny.vit_ablate("table", str(tmp_path)) == 2
    assert f"{tmp_path} is no results folder" in capsys.readouterr().err
    assert tiny.vit_ablate("table", "nosuch", "--results", str(tmp_path)) == 2
    assert "no studies called 'nosuch'" in capsys.readouterr().err


def test_a_report_goes_elsewhere_where_its_folder_may_only_be_read(results, capsys, tmp_path, monkeypatch):
    folder, before = results / "whole-mnist-cpu", bytes_of(results)
    monkeypatch.setattr(ResultsFolder, "writable", property(lambda self: self.path != folder))
    assert tiny.vit_ablate("report", str(folder)) == 2
    assert "name a folder that you can write with --to" in capsys.readouterr().err
    said(capsys, "report", str(folder), "--to", str(tmp_path / "copy"))
    assert {"README.md", "report.html", "cells.csv"} <= {path.name for path in (tmp_path / "copy").iterdir()}
    assert bytes_of(results) == before


@pytest.mark.parametrize("study", ["whole", "tables"])
def test_names_are_checked_before_anything_is_drawn(results, capsys, study):
    words = ["look", study, "--results", str(results)]
    assert tiny.vit_ablate(*words, "--cell", "nosuch") == 2
    assert "no arm is called 'nosuch'" in capsys.readouterr().err
    assert tiny.vit_ablate(*words) == 2
    assert "no weights of '14/cls'" in capsys.readouterr().err


def test_the_arm_beside_is_looked_for_before_anything_is_drawn(results, monkeypatch, tmp_path):
    folder = ResultsFolder(shutil.copytree(results / "tables-mnist-cpu", tmp_path / "x-mnist-cpu"))
    folder.weights("14/cls").parent.mkdir()
    folder.weights("14/cls").touch()
    target = target_of(str(folder.path), None, None, tmp_path)
    with pytest.raises(Exception, match="no weights of '14/mean'"):
        draw_pictures(target, "14/mean", 0, (), None)
    monkeypatch.setattr(ResultsFolder, "writable", False)
    with pytest.raises(Exception, match="cannot be written: name a folder for the pictures with --to"):
        draw_pictures(target, None, 0, (), None)
    assert not (folder.path / "pictures").exists()
