from html.parser import HTMLParser

import pandas as pd
import pytest

import tiny
from studies.export import FORMATS, TABLES, ExportError, read_table, select, with_verdicts
from studies.report import publish

FRAME = pd.DataFrame(
    {
        "cell": ["a_1", "b&c", "<i>"],
        "accuracy": [0.97123, 0.5, None],
        "n": [5, 5, 4],
        "verdict": ["better", None, "worse"],
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return publish(tiny.filled(tmp_path_factory.mktemp("results") / "tiny-mnist-cpu")).folder


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("form", FORMATS)
def test_every_table_is_written_in_every_format(folder, table, form):
    frame = read_table(folder, table)
    text = FORMATS[form](frame, "caption")
    assert text.count("\n") > len(frame)
    assert "14x28" in text


def test_rows_and_columns_are_chosen_and_sorted(folder):
    cells = read_table(folder, "cells")
    chosen = select(cells, ["cell", "n"], ["pooling=mean"], "-n")
    assert list(chosen) == ["cell", "n"]
    assert all(name.endswith("/mean") for name in chosen["cell"])
    assert list(chosen["n"]) == sorted(chosen["n"], reverse=True)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"columns": ["nosuch"]}, "no column 'nosuch'; choices: cell, accuracy, n, verdict"),
        ({"where": ["n"]}, "write COLUMN=VALUE"),
        ({"where": ["nosuch=1"]}, "no column 'nosuch'"),
        ({"sort": "-nosuch"}, "no column 'nosuch'"),
    ],
)
def test_what_is_not_there_is_refused_with_the_choices(choice, message):
    with pytest.raises(ExportError, match=message):
        select(FRAME, **choice)


def test_latex_is_booktabs_escaped_and_explains_its_marks():
    text = FORMATS["latex"](FRAME, "Arms.")
    assert r"\toprule" in text
    assert r"a\_1 $\uparrow$ &" in text
    assert r"b\&c &" in text
    assert r"$\downarrow$ worse than the baseline" in text.split(r"\begin{tabular}")[0]
    assert "verdict" not in text


def test_html_is_escaped():
    seen = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: seen.append(tag)
    parser.feed(FORMATS["html"](FRAME, "<script>"))
    assert "i" not in seen
    assert "script" not in seen
    assert seen[0] == "table"


def test_csv_keeps_full_precision():
    assert "0.97123" in FORMATS["csv"](FRAME, "")


def test_only_arms_that_were_compared_have_a_verdict(folder):
    cells = with_verdicts(read_table(folder, "cells"), read_table(folder, "contrasts"))
    assert cells.loc[cells["baseline"], "verdict"].isna().all()
    assert (cells.loc[~cells["baseline"] & (cells["n"] > 0), "verdict"] == "underpowered").all()


def test_the_command_prints_a_table_for_elsewhere(folder, capsys):
    words = ["table", folder.name, "--results", str(folder.parent), "--format", "csv"]
    assert tiny.vit_ablate(*words, "--columns", "cell,n", "--where", "pooling=cls", "--sort", "cell") == 0
    lines = capsys.readouterr().out.split()
    assert lines[0] == "cell,n"
    assert lines[1:] == sorted(lines[1:])
    assert all("/cls," in line for line in lines[1:])


def test_a_committed_folder_without_its_storage_can_be_read(folder, tmp_path, capsys):
    copy = tmp_path / "tiny-mnist-cpu"
    copy.mkdir()
    for name in ("runs.csv", "cells.csv", "contrasts.csv"):
        (copy / name).write_bytes((folder / name).read_bytes())
    assert tiny.vit_ablate("table", "tiny", "--results", str(tmp_path), "--table", "runs") == 0
    assert "| cell" in capsys.readouterr().out
