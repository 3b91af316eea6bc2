import io
from html.parser import HTMLParser

import pandas as pd
import pytest

import tiny
from studies.findings.saved import TABLES, ExportError, read_table
from studies.report.export import DEFAULT_COLUMNS, FORMATS, columns_of, renamed, select, with_verdicts
from studies.report.publishing import publish
from studies.statistics.verdicts import VERDICTS

FRAME = pd.DataFrame(
    {
        "cell": ["a_1", "b&c|d`", "<i>"],
        "accuracy": [0.97123, 0.5, None],
        "n": [5, 5, 4],
        "verdict": ["better", None, "worse"],
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    ledger = tiny.filled(tmp_path_factory.mktemp("results") / "tiny-mnist-cpu")
    return publish(ledger, tiny.home(ledger)).folder


def written(form, frame=FRAME, caption="Arms."):
    return FORMATS[form](frame, columns_of("cells", frame, list(frame)), caption)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("form", FORMATS)
def test_every_table_is_written_in_every_format(folder, table, form):
    frame = read_table(folder, table)
    for names in (list(frame), DEFAULT_COLUMNS[table]):
        text = FORMATS[form](frame, columns_of(table, frame, names), "caption")
        assert text.count("\n") > len(frame)
        assert "14x28" in text


def test_rows_are_chosen_and_sorted(folder):
    cells = select(read_table(folder, "cells"), ["pooling=mean"], "-n")
    assert all(name.endswith("/mean") for name in cells["cell"])
    assert list(cells["n"]) == sorted(cells["n"], reverse=True)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"where": ["n"]}, "write COLUMN=VALUE"),
        ({"where": ["nosuch=1"]}, "no column 'nosuch'; choices: cell, accuracy, n, verdict"),
        ({"sort": "-nosuch"}, "no column 'nosuch'"),
    ],
)
def test_what_is_not_there_is_refused_with_the_choices(choice, message):
    with pytest.raises(ExportError, match=message):
        select(FRAME, **choice)


def test_a_column_that_is_not_there_is_refused_with_those_that_are(folder):
    with pytest.raises(ExportError, match=r"no column 'nosuch'; choices: cell, .*interval"):
        columns_of("cells", read_table(folder, "cells"), ["cell", "nosuch"])


def test_names_are_said_otherwise_wherever_they_stand(folder):
    cells = read_table(folder, "cells")
    columns = columns_of("cells", cells, ["cell", "pooling", "n"])
    text = FORMATS["md"](cells, renamed(columns, cells, ["mean=Mean pooling", "arm=Model", "cls=CLS"]), "caption")
    assert "| Model" in text
    assert "14x28/Mean pooling" in text.replace("\\", "")
    assert "/mean" not in text
    with pytest.raises(ExportError, match=r"nothing is called 'nosuch'; choices: .*mean"):
        renamed(columns, cells, ["nosuch=x"])
    with pytest.raises(ExportError, match="write OLD=NEW"):
        renamed(columns, cells, ["mean"])


def test_digits_are_of_accuracies_alone(folder):
    cells = read_table(folder, "cells")
    (mean, params) = (c.rounded(4) for c in columns_of("cells", cells, ["test_accuracy_mean", "params"]))
    row = cells.iloc[0].to_dict()
    assert mean.text(row) == f"{100 * row['test_accuracy_mean']:.4f}"
    assert params.text(row) == f"{row['params']:,.0f}"


def test_html_is_escaped():
    seen = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: seen.append(tag)
    parser.feed(written("html", caption="<script>"))
    assert "i" not in seen
    assert "script" not in seen
    assert seen[0] == "table"


def test_markdown_is_escaped():
    text = written("md")
    assert r"b&c\|d\`" in text
    assert r"\<i>" in text
    assert r"a_1 " in text  # an underscore within a word is no markup
    assert len({line.replace(r"\|", "").count("|") for line in text.splitlines() if "|" in line}) == 1


def test_csv_keeps_full_precision_and_both_ends_of_an_interval(folder):
    assert "0.97123" in written("csv")
    cells = read_table(folder, "cells")
    text = FORMATS["csv"](cells, columns_of("cells", cells, ["cell", "interval"]), "")
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(text)), cells[["cell", "test_accuracy_low", "test_accuracy_high"]]
    )


def test_only_arms_that_were_compared_have_a_verdict(folder):
    cells = with_verdicts(read_table(folder, "cells"), read_table(folder, "contrasts"))
    assert cells.loc[cells["baseline"], "verdict"].isna().all()
    assert (cells.loc[~cells["baseline"] & (cells["n"] > 0), "verdict"].isin(VERDICTS)).all()


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
    assert "| arm" in capsys.readouterr().out
