import numpy as np
import pandas as pd

from studies.findings.csv_file import write_csv
from studies.findings.growing_table import GrowingTable


def test_a_growing_table_is_the_table_of_its_rows():
    rows = [
        {"study": "s", "seed": 0, "loss": 0.5, "level": 14, "why": None},
        {"study": "s", "seed": 1, "loss": 0.25, "level": 14, "why": "nan", "late": True},
        {"study": "s", "seed": 0, "level": (14, 28), "why": None, "curve": [{"epoch": 1}]},
    ]
    table = GrowingTable()
    for row, kind in zip(rows, "aab", strict=True):
        shared = {name: row[name] for name in ("study", "level")}
        if kind not in table.kinds:
            table.add_kind(kind, shared, row)
        table.add(kind, {name: value for name, value in row.items() if name not in shared})
    pd.testing.assert_frame_equal(table.frame(), pd.DataFrame(rows))


def test_what_is_known_of_a_kind_has_the_last_word():
    table = GrowingTable()
    table.add_kind("a", {"params": 7}, ["params", "seed"])
    table.add_kind("b", {}, ["params", "seed"])
    for kind, seed in (("a", 0), ("b", 1)):
        table.add(kind, {"params": 9, "seed": seed})
    assert table.frame().to_dict("list") == {"params": [7, 9], "seed": [0, 1]}


def test_csv_files_are_those_of_pandas_byte_for_byte(tmp_path, monkeypatch):
    monkeypatch.setattr("studies.findings.csv_file.CHUNK", 4)
    frame = pd.DataFrame(
        {
            "name": ["a", 'with "quotes"', "a, b", "", None, "a", "  ", "é", "\r"],
            "value": [0.0, -0.0, np.nan, 1e-5, np.inf, 0.1 + 0.2, 1e22, -3.0, 5e-324],
            "whole": np.arange(9) % 2,
            "is": [True, False] * 4 + [True],
            "mixed": [True, 1, 1.0, (14, 28), None, "x,y", 0, False, [1, 2]],
        }
    )
    for one in (frame, frame.iloc[:0], frame[["value"]], frame.assign(name="line\nbreak"), frame.assign(mixed="\n")):
        one.to_csv(tmp_path / "theirs.csv", index=False)
        write_csv(one, tmp_path / "ours.csv")
        assert (tmp_path / "ours.csv").read_bytes() == (tmp_path / "theirs.csv").read_bytes()
