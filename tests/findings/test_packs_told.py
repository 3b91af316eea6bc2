"""Who compares arms of different packs is told."""

import pandas as pd
import pytest

import tiny
from studies.findings.packs import packed_differently

PLAN = tiny.plan({"pooling": ("cls", "mean", "map")})


def runs(**sizes):
    rows = [
        {"cell": cell, "seed": seed, "status": "complete" if size else "failed", "packed": size or 1}
        for cell, of_seeds in sizes.items()
        for seed, size in enumerate(of_seeds)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"cls": [1, 1], "mean": [1, 1], "map": [1, 1]}, ""),
        ({"cls": [3, 2], "mean": [3, 2], "map": [3, 2]}, ""),
        (
            {"cls": [3, 3], "mean": [3, 1], "map": [3, 3]},
            "`mean` trained in packs of other sizes",
        ),
        ({"cls": [1, 1], "mean": [2, 2], "map": [2, 2]}, "`map`, `mean` trained in packs"),
        ({"cls": [1, None], "mean": [1, 2], "map": [1]}, ""),
        ({"mean": [2], "map": [1]}, ""),
    ],
)
def test_packs_of_other_sizes_than_the_baseline_s_are_told(sizes, told):
    found = packed_differently(PLAN, runs(**sizes))
    assert found.startswith(told) if told else found == ""


def test_records_of_before_packs_tell_nothing():
    assert packed_differently(PLAN, runs(cls=[1], mean=[2]).drop(columns="packed")) == ""
