from __future__ import annotations

from dataclasses import replace

import pytest

from bench.cells import Cell, eager_cells, left_out
from bench.chunking_report import headline, write_report
from bench.compare import change, load_baseline, slowdown, slowdowns
from bench.limits import Limits
from bench.rows import Row, of_a_step, verdict, with_verdicts
from bench.timing import Ratio

CELL = Cell("tiles", "28x28x1", 1, "contiguous", "cut", "eager")
SURE = Ratio(1.0, 0.99, 1.01)
LIMITS = Limits("cpu", 1, {"float32": 100.0, "bfloat16": 400.0}, 20.0)


def row(cell=CELL, backend="einops", microseconds=20.0, ratio=SURE, relative=SURE):
    return Row(cell, backend, microseconds, 0.01, False, 15, ratio, relative)


@pytest.mark.parametrize(
    ("relative", "ratio", "slow"),
    [
        (Ratio(1.5, 1.4, 1.6), SURE, True),
        (Ratio(1.05, 1.04, 1.06), SURE, False),  # sure, but below the threshold
        (Ratio(1.5, 0.9, 2.5), SURE, False),  # above it, but unsure
        (Ratio(1.5, 0.9, 2.5), Ratio(1.5, 1.4, 1.6), True),  # the paired ratio is surer
        (SURE, Ratio(1.5, 1.4, 1.6), False),  # only the manual backend got faster
        (Ratio(0.5, 0.4, 0.6), Ratio(0.5, 0.4, 0.6), False),
    ],
)
def test_slower_needs_threshold_and_interval(relative, ratio, slow):
    found = slowdown(row(relative=relative, ratio=ratio), {"relative": SURE, "ratio": SURE})
    assert (found is not None) == slow


def test_change_combines_the_intervals():
    found = change(Ratio(2.0, 1.0, 4.0), Ratio(1.0, 0.5, 2.0))
    assert found.ratio == pytest.approx(2.0)
    assert found.high == pytest.approx(2.0 * 4**2**0.5)


def test_verdicts_in_words():
    step = replace(CELL, level="step")
    rows = with_verdicts(
        [
            row(backend="manual", microseconds=10.0),
            row(ratio=Ratio(1.9, 1.8, 2.0), microseconds=19.0),
            row(backend="unfold", ratio=Ratio(1.01, 0.97, 1.05)),
            row(backend="conv", ratio=Ratio(0.5, 0.4, 0.6)),
            row(cell=step, backend="manual", microseconds=4500.0),
        ],
        LIMITS,
    )
    assert [r.verdict for r in rows[:4]] == [
        "the baseline",
        "einops 1.9x slower at batch 1, 9 us a call: 0.2 % of a train step",
        "undecided (-3.0 % to +5.0 %)",
        "conv 2.0x faster at batch 1, 5 us a call: 0.11 % of a train step",
    ]
    assert rows[0].limit_share == pytest.approx(2 * 28 * 28 * 4 / 20e9 / 10e-6)
    assert "at worst 0.2 % of a train step" in headline(rows)[0]


def test_verdict_without_a_train_step_says_less():
    assert verdict(row(ratio=Ratio(1.05, 1.04, 1.06))).endswith("us a call")


def test_a_report_is_a_baseline(tmp_path):
    rows = with_verdicts([row(backend="manual", microseconds=10.0), row(ratio=Ratio(1.9, 1.8, 2.0))], LIMITS)
    write_report(
        tmp_path, rows, LIMITS, {"a-cell": "too large", "b-cell": "too large"}, {"machine": "this", "commit": "abc"}
    )
    assert {p.name for p in tmp_path.iterdir()} == {"chunking.csv", "chunking.md", "chunking.png"}
    text = (tmp_path / "chunking.md").read_text()
    assert "**1.90 (1.80 to 2.00)**" in text
    assert "too large (2 cells): a-cell, b-cell" in text
    baseline = load_baseline(tmp_path / "chunking.csv", "this")
    assert slowdowns(rows, baseline) == {}
    assert list(slowdowns([replace(rows[1], relative=Ratio(3.0, 2.9, 3.1))], baseline)) == [rows[1].key]


def test_a_baseline_of_another_machine_is_refused(tmp_path):
    with pytest.raises(ValueError, match="make one with: nox -s bench"):
        load_baseline(tmp_path / "chunking.csv", "this")
    rows = with_verdicts([row(backend="manual"), row()], LIMITS)
    write_report(tmp_path, rows, LIMITS, {}, {"machine": "that"})
    with pytest.raises(ValueError, match="comes from that, this is this"):
        load_baseline(tmp_path / "chunking.csv", "this")


def test_large_images_are_left_out_on_a_cpu_only():
    large = replace(CELL, image="224x224x3", batch=1024)
    assert left_out(large, "cpu") is None
    assert "588 MiB" in str(left_out(replace(large, level="step"), "cpu"))
    assert left_out(replace(large, level="step"), "cuda") is None
    assert len(set(map(str, eager_cells()))) == len(list(eager_cells()))


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0021, "0.21 % of a train step"),
        (0.98, "98 % of a train step"),
        (0.996, "1.0 train steps"),
        (48.3, "48 train steps"),
        (1234.0, "1,234 train steps"),
    ],
)
def test_a_cost_is_said_in_shares_or_in_numbers_of_steps(share, words):
    assert of_a_step(share) == words
