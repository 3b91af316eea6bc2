import pandas as pd
import pytest

from studies.findings.saved import ExportError
from studies.report.conditions import rows_that

FRAME = pd.DataFrame(
    {
        "cell": ["tiles/cls", "a=b", "x", "in"],
        "n": [5, 5, 4, 3],
        "rate": [0.01, 0.1, None, 1.0],
        "flip": [True, False, True, False],
        "size": ["14", "(14, 28)", "5", "5"],
    }
)


@pytest.mark.parametrize(
    ("condition", "cells"),
    [
        ("cell=tiles/cls", ["tiles/cls"]),
        ("cell = tiles/cls", ["tiles/cls"]),
        ("cell==x", ["x"]),
        ("cell=a=b", ["a=b"]),
        ("cell!=x", ["tiles/cls", "a=b", "in"]),
        ("n=5", ["tiles/cls", "a=b"]),
        ("n=5.0", ["tiles/cls", "a=b"]),
        ("n>=4", ["tiles/cls", "a=b", "x"]),
        ("n<4", ["in"]),
        ("n > 4", ["tiles/cls", "a=b"]),
        ("rate<=1e-1", ["tiles/cls", "a=b"]),
        ("rate=.1", ["a=b"]),
        ("flip=True", ["tiles/cls", "x"]),
        ("n in 3, 4", ["x", "in"]),
        ("cell in in,x", ["x", "in"]),
        ("n not in 5", ["x", "in"]),
        ("size=(14, 28)", ["a=b"]),
    ],
)
def test_rows_are_chosen(condition, cells):
    assert list(rows_that(FRAME, condition)["cell"]) == cells


@pytest.mark.parametrize(
    ("condition", "part"),
    [
        ("n", "write COLUMN=VALUE"),
        ("=", "write COLUMN=VALUE"),
        ("", "write COLUMN=VALUE"),
        ("nosuch=1", "no column 'nosuch'; choices: cell, n, rate, flip, size"),
        ("cell=y", "no row has cell 'y'; choices: tiles/cls, a=b, x, in"),
        ("cell!=y", "no row has cell 'y'"),
        ("n in 5,6", "no row has n '6'; choices: 5, 4, 3"),
        ("n>many", "'many' is no number to compare with"),
        ("cell>x", "cell holds words, which have no order; use = != or in"),
        ("rate=", "no row has rate ''; choices: 0.01, 0.1, 1.0"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_choices(condition, part):
    with pytest.raises(ExportError) as refused:
        rows_that(FRAME, condition)
    assert part in str(refused.value)


def test_many_numbers_are_said_by_their_range():
    frame = pd.DataFrame({"loss": [i / 100 for i in range(50)]})
    with pytest.raises(ExportError, match=r"choices: numbers from 0 to 0\.49"):
        rows_that(frame, "loss=7")
