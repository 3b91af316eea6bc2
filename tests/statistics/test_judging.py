"""Pairs judged as one family while the study grows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studies.statistics.judging import Look, Pair, judge_pairs
from studies.statistics.looks import follow, shares
from studies.statistics.question import Question

QUESTION = Question(metric="x", margin=0.1)
ARMS = ["base", "far", "near"]
PAIRS = [Pair("far", "base"), Pair("near", "base")]


def table(seeds=8, seed=0, far=9.0):
    values = np.array([0.0, far, 0.3]) + np.random.default_rng(seed).standard_normal((seeds, 3))
    return pd.DataFrame(values, columns=ARMS)


def looks(*units, most=None):
    """Looks at so many seeds of each arm in ``ARMS``."""
    each = shares([max(row) for row in units], most)
    return [
        Look(float(share), {arm: frozenset(range(n)) for arm, n in zip(ARMS, row, strict=True)})
        for share, row in zip(each, units, strict=True)
    ]


def grown():
    """After five seeds of all, three more of the baseline and the near arm."""
    values = table()
    values.loc[5:, "far"] = np.nan
    return values, looks((5, 5, 5), (8, 5, 8))


def test_one_planned_look_is_no_look():
    values = table(5)
    plain, planned = (
        judge_pairs(values, None, PAIRS, QUESTION),
        judge_pairs(values, None, PAIRS, QUESTION, looks((5, 5, 5), most=5)),
    )
    for one, other in zip(plain, planned, strict=True):
        assert (one.p_looks, one.p_holm, one.low) == pytest.approx((one.p, other.p_holm, other.low))


def test_two_looks_say_what_the_arithmetic_of_looks_says():
    values, ran = grown()
    found = judge_pairs(values, None, PAIRS, QUESTION, ran)
    expected = follow(values.to_numpy().T, (5, 8), margin=0.1)
    assert [c.p_looks for c in found] == pytest.approx(expected.p.tolist())
    assert [c.low for c in found] == pytest.approx(expected.low.tolist())
    assert [c.looks for c in found] == [2, 2]


def test_looking_twice_costs():
    values = table()
    once = judge_pairs(values, None, PAIRS, QUESTION, looks((8, 8, 8), most=8))
    twice = judge_pairs(values, None, PAIRS, QUESTION, looks((5, 5, 5), (8, 8, 8)))
    assert twice[1].p_looks > once[1].p_looks == once[1].p
    assert twice[1].high - twice[1].low > once[1].high - once[1].low


def test_a_decided_arm_keeps_its_verdict_interval_and_p_while_others_get_seeds():
    values, ran = grown()
    first = judge_pairs(values[:5], None, PAIRS, QUESTION, ran[:1])
    later = judge_pairs(values, None, PAIRS, QUESTION, ran)
    assert first[0].verdict == later[0].verdict == "better"
    assert (later[0].n, later[1].n) == (5, 8)
    assert (later[0].difference, later[0].low, later[0].high, later[0].p_looks) == pytest.approx(
        (first[0].difference, first[0].low, first[0].high, first[0].p_looks)
    )
    assert later[0].share == ran[0].share
    assert later[1].share == ran[1].share


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 500), st.floats(0, 6))
def test_more_seeds_of_one_arm_never_take_back_what_was_decided_of_another(seed, far):
    values = table(seed=seed, far=far)
    values.loc[5:, "far"] = np.nan
    ran = looks((5, 5, 5), (8, 5, 8))
    first = judge_pairs(values[:5], None, PAIRS, QUESTION, ran[:1])[0]
    later = judge_pairs(values, None, PAIRS, QUESTION, ran)[0]
    assert later.p_holm <= first.p_holm * (1 + 1e-9)
    if first.verdict != "undecided":
        assert later.verdict == first.verdict


def test_a_look_that_may_spend_nothing_decides_nothing_but_foretells():
    values = table()
    waiting = [Look(0.0, {arm: frozenset(range(8)) for arm in ARMS})]
    found = judge_pairs(values, None, PAIRS, QUESTION, waiting)
    assert {c.verdict for c in found} == {"undecided"}
    assert {c.p_holm for c in found} == {1.0}
    assert all(np.isnan(c.low) and c.detectable > 0 and c.seeds_needed > 8 for c in found)
    assert {c.verdict_images for c in found} == {""}


def test_a_look_without_a_share_leaves_what_was_said():
    values, ran = grown()
    again = [ran[0], Look(0.0, ran[1].units)]
    first, later = (judge_pairs(v, None, PAIRS, QUESTION, r) for v, r in ((values[:5], ran[:1]), (values, again)))
    for one, other in zip(first, later, strict=True):
        assert (other.low, other.high, other.p_holm) == pytest.approx((one.low, one.high, one.p_holm))


def test_what_came_after_a_look_is_not_seen_by_it():
    values = table()
    early = looks((5, 5, 5))[0].masked(values)
    assert early[:5].equals(values[:5])
    assert early[5:].isna().all(axis=None)
    assert looks((5, 3, 5))[0].masked(values)["far"].notna().sum() == 3


def test_attempts_without_a_value_are_dropped_pairs():
    values = table()
    values.loc[2, "far"] = np.nan
    tried = pd.DataFrame(True, index=values.index, columns=ARMS)
    assert [c.dropped for c in judge_pairs(values, tried, PAIRS, QUESTION)] == [1, 0]
    assert judge_pairs(values, tried, [], QUESTION) == []


@pytest.mark.parametrize(("extra", "verdict"), [(0.0, "better"), (9.0, "undecided")])
def test_new_images_widen_the_interval_and_may_take_the_verdict_back(extra, verdict):
    values = table(far=9.0)
    pairs = [Pair("far", "base", extra), Pair("near", "base", extra)]
    found = judge_pairs(values, None, pairs, QUESTION)[0]
    assert (found.verdict, found.verdict_images) == ("better", verdict)
    assert (found.high_images - found.low_images > 1.5 * (found.high - found.low)) == (extra > 0)
    assert found.reversed().verdict_images == {"better": "worse"}.get(verdict, verdict)


def test_without_knowledge_of_images_nothing_is_said_of_new_ones():
    found = judge_pairs(table(), None, [Pair("far", "base", 0.1), Pair("near", "base")], QUESTION)
    assert {c.verdict_images for c in found} == {""}
    assert all(np.isnan(c.low_images) for c in found)
