"""Fractions are checked by what they promise: levels balanced, and effects apart as their resolution says."""

import itertools
from collections import Counter

import pytest

import tiny
from studies.design.balance import design_lines, lost, overlap
from studies.design.designs import combinations, described
from studies.design.fractions import fraction
from studies.design.settings import DesignError
from studies.design.tuned import with_tuned


@pytest.mark.parametrize(
    ("count", "size", "asked", "runs", "found"),
    [  # Box, Hunter and Hunter, table 6.22 for two levels; Bose 1947 for three
        (3, 2, 3, 4, 3),
        (7, 2, 3, 8, 3),
        (4, 2, 3, 8, 4),
        (5, 2, 5, 16, 5),
        (8, 2, 4, 16, 4),
        (6, 2, 5, 32, 6),
        (8, 2, 5, 64, 5),
        (11, 2, 5, 128, 5),
        (4, 3, 3, 9, 3),
        (4, 3, 4, 27, 4),
        (5, 3, 5, 81, 5),
        (3, 2, 4, 8, None),
        (2, 3, 3, 9, None),
    ],
)
def test_fractions_are_as_small_as_the_textbooks(count, size, asked, runs, found):
    made = fraction([f"f{i}" for i in range(count)], size, asked)
    assert (len(list(made.runs)), made.resolution) == (runs, found)


@pytest.mark.parametrize(("count", "size", "asked"), [(6, 2, 3), (7, 2, 4), (8, 2, 5), (4, 3, 3), (5, 3, 4)])
def test_any_few_factors_meet_in_all_ways_equally_often(count, size, asked):
    names = [f"f{i}" for i in range(count)]
    made = fraction(names, size, asked)
    runs = list(made.runs)
    assert len({tuple(run.values()) for run in runs}) == len(runs)
    assert not any(runs[0].values())
    for some in itertools.combinations(names, asked - 1):
        met = Counter(tuple(run[name] for name in some) for run in runs)
        assert set(met.values()) == {len(runs) // size ** (asked - 1)}


def test_aliases_are_the_effects_that_the_runs_cannot_tell_apart():
    made = fraction(["a", "b", "c", "d"], 2, 4)
    assert made.aliases() == [["a × b", "c × d"], ["a × c", "b × d"], ["a × d", "b × c"]]
    for run in made.runs:
        signs = {name: (-1) ** level for name, level in run.items()}
        assert signs["a"] * signs["b"] == signs["c"] * signs["d"]
    assert fraction(["a", "b", "c", "d", "e"], 2, 5).aliases() == []
    assert ["a", "b × c"] in [sorted(group) for group in fraction(["a", "b", "c"], 2, 3).aliases()]


FACTORS = {"a": (1, 2), "b": (1, 2), "c": (1, 2), "d": (1, 2, 3), "e": (1, 2, 3, 4)}
BASE = {"a": 2, "b": 1, "c": 1, "d": 3, "e": 2}


def test_levels_of_mixed_numbers_are_fractioned_by_number_and_crossed():
    cells = combinations("resolution-3", FACTORS, BASE)
    assert len(cells) == 4 * 3 * 4
    assert BASE in cells
    assert Counter((cell["a"], cell["d"]) for cell in cells) == dict.fromkeys(itertools.product((1, 2), (1, 2, 3)), 8)
    first, *rest = described("resolution-3", FACTORS)
    assert first.startswith("design: fraction of resolution III, 48 of 96 combinations")
    assert "cannot be told apart: a, b × c" in rest
    assert rest[-1] == "crossed with all levels of e: numbers of levels that are no primes"


def test_one_at_a_time_is_the_baseline_and_every_single_change():
    cells = combinations("one-at-a-time", FACTORS, BASE)
    away = Counter(sum(cell[name] != BASE[name] for name in cell) for cell in cells)
    assert away == {0: 1, 1: 1 + 1 + 1 + 2 + 3}
    assert "9 of 96 combinations; interactions cannot be seen" in described("one-at-a-time", FACTORS)[0]


def test_a_full_factorial_keeps_the_order_of_its_levels():
    cells = combinations("full", {"a": ("y", "x"), "b": (2, 1)}, {"a": "x", "b": 1})
    assert [tuple(cell.values()) for cell in cells] == [("y", 2), ("y", 1), ("x", 2), ("x", 1)]


def test_no_smaller_fraction_is_said():
    assert (
        "all 4 combinations: no smaller fraction has resolution-5"
        in described("resolution-5", {"a": (1, 2), "b": (1, 2)})[0]
    )


def test_too_many_cells_are_refused_with_a_way_out():
    many = {f"f{i}": tuple(range(10)) for i in range(5)}
    with pytest.raises(DesignError, match=r"crosses to 100,000 arms: .* one-at-a-time, resolution-3"):
        combinations("full", many, dict.fromkeys(many, 0))
    assert len(combinations("one-at-a-time", many, dict.fromkeys(many, 0))) == 46


def test_arms_that_cannot_be_take_resolution_and_that_is_said():
    factors = {"pooling": ("cls", "mean"), "positional": ("learned", "rope2d"), "qkv_bias": (True, False)}
    factors |= {"final_norm": (True, False), "num_heads": (1, 3)}
    whole = tiny.plan(factors | {"num_heads": (1, 2)}, design="resolution-3")
    assert lost(whole) == []
    assert design_lines(whole) == described("resolution-3", whole.factors)
    plan = tiny.plan(factors, design="resolution-3")  # 3 heads divide no 8 dimensions
    (line,) = lost(plan)
    assert line.startswith("4 of its 8 combinations cannot be: main effects overlap now (resolution II), in ")
    assert "(Cramér's V 1.00); no arm is left with num_heads=3; means of levels are not given" in line
    assert design_lines(plan)[-1] == line
    full = tiny.plan({"pooling": ("cls", "mean"), "num_heads": (1, 3)})
    assert lost(full) == []


def test_overlap_is_how_far_one_factor_says_the_other():
    even = [{"a": a, "b": b} for a in (1, 2, 3) for b in (1, 2)]
    assert overlap(even, "a", "b") == 0
    assert overlap([{"a": i, "b": -i} for i in (1, 2, 3)], "a", "b") == pytest.approx(1)
    assert overlap([{"a": 1, "b": 1}, {"a": 1, "b": 2}], "a", "b") == 0
    two_by_two = [{"a": 0, "b": 0}] * 3 + [{"a": 0, "b": 1}] + [{"a": 1, "b": 0}] + [{"a": 1, "b": 1}] * 3
    assert overlap(two_by_two, "a", "b") == pytest.approx(0.5)  # phi = (3 * 3 - 1 * 1) / (4 * 4)


def test_a_tuned_fraction_is_described_as_declared():
    plan = tiny.plan({"pooling": ("cls", "mean"), "qkv_bias": (True, False)})
    both = with_tuned(plan, {cell.name: {"learning_rate": 0.02} for cell in plan.cells})
    assert design_lines(both) == ["design: full factorial, all 4 combinations", "arms run as declared, and as tuned"]
