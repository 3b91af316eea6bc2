import numpy as np
import pandas as pd
import pytest

from studies.findings.columns import ARMS, CHANGES, CONTRASTS, EFFECTS, SPEEDS, TERMS, TRIALS, pick, plain, texts
from studies.findings.words import count, duration, hundredths, number, p_number, percent, signed, span, spread

NAN = float("nan")


@pytest.mark.parametrize("table", [ARMS, TRIALS, CONTRASTS, EFFECTS, SPEEDS, TERMS, CHANGES])
def test_a_column_says_a_dash_for_what_is_missing(table):
    keys = {key for column in table.values() for key in column.keys} | {"train_images_per_second_ratio", "interacts"}
    frame = pd.DataFrame([dict.fromkeys(keys, NAN)])
    said = dict(zip(table, texts(list(table.values()), frame)[0], strict=True))
    unnamed = {"term", "family", "comparison"}  # what names a row is never missing
    assert {name: text for name, text in said.items() if text != "–"}.keys() <= unnamed


@pytest.mark.parametrize("table", [ARMS, TRIALS, CONTRASTS, EFFECTS, SPEEDS, TERMS, CHANGES])
def test_headings_of_a_table_differ_unless_they_show_the_same_values(table):
    seen = {}
    for column in table.values():
        assert seen.setdefault((column.heading, column.key), column.key) == column.key


def test_a_column_says_and_sorts_by_its_own_values():
    row = {"test_accuracy_low": 0.9, "test_accuracy_high": 0.95, "test_accuracy_mean": None, "cell": "a"}
    assert ARMS["interval"].text(row) == "90.00 to 95.00"
    assert ARMS["interval"].sorts_by(row) == 0.9
    assert ARMS["test_accuracy_mean"].sorts_by(row) is None
    assert ARMS["cell"].sorts_by(row) is None


def test_whole_numbers_stay_whole_beside_fractions():
    frame = pd.DataFrame({"n": [5, 4], "params": [28202, np.nan]})
    assert texts(pick(ARMS, "n", "params"), frame) == [["5", "28,202"], ["4", "–"]]


def test_a_contrast_is_named_by_what_it_compares():
    def named(**row):
        return CONTRASTS["comparison"].text(row), CONTRASTS["family"].text(row)

    level = {"factor": "pooling", "a": "mean", "b": "cls"}
    assert named(**level, setting="depth=2") == ("mean − cls (depth=2)", "pooling, each setting")
    for none in ("", NAN):  # as computed, and as read from a file
        assert named(**level, setting=none) == ("mean − cls", "pooling, on average")
    assert named(factor="cell", a="x/mean", b="x/cls", setting="") == ("x/mean", "vs baseline")


def test_an_average_is_told_with_its_interval_and_with_a_warning_where_it_misleads():
    row = {"average": 0.0146, "average_low": 0.0126, "average_high": 0.0165, "interacts": False}
    assert EFFECTS["average"].text(row) == "+1.46 (+1.26 to +1.65)"
    assert EFFECTS["average"].text(row | {"interacts": True}) == "+1.46 (+1.26 to +1.65) (misleads: it depends)"


@pytest.mark.parametrize(
    ("value", "text"), [(0.123456, "0.1235"), (12345.6, "12,346"), (5, "5"), (None, "–"), ("a", "a"), (-0.5, "−0.5")]
)
def test_a_plain_column_has_four_digits(value, text):
    assert plain("x", pd.Series([value])).text({"x": value}) == text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (percent(0.97123), "97.12 %"),
        (percent(0.5, 0), "50 %"),
        (percent(NAN), "–"),
        (hundredths(None), "–"),
        (signed(-0.0031), "−0.31"),
        (signed(0.0031), "+0.31"),
        (signed(-0.00001), "0.00"),
        (signed(0.031, 1), "+3.1"),
        (signed(12.5), "+1,250.00"),
        (signed(NAN), "–"),
        (number(-1234.5, 1), "−1,234.5"),
        (number(float("inf")), "∞"),
        (count(28202), "28,202"),
        (span(0.9, 0.95), "90.00 to 95.00"),
        (span(-0.001, 0.001, signed), "−0.10 to +0.10"),
        (span(NAN, NAN), "–"),
        (spread(17723.4, 410.2), "17,723 ± 410"),
        (spread(NAN, NAN), "–"),
        (p_number(0.031), "0.031"),
        (p_number(0.0001), "< 0.001"),
        (p_number(None), "–"),
    ],
)
def test_a_number_is_said_one_way(said, text):
    assert said == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "1 min 00 s"), (75, "1 min 15 s"), (3600, "1 h 00 min"), (7384, "2 h 03 min")],
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text
