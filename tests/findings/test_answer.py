"""Five sentences at most, none beyond its verdicts."""

import re

import numpy as np
import pytest

from studies.findings import answer as answers
from studies.statistics.power import seeds_range
from told import ALTERNATING, BASE, Told

WINNING = re.compile(r"\b(better than|beats|worse|costs|[Kk]eep|[Uu]se)\b")
POSITIONS = ("learned", "none", "sinusoidal", "rope2d")


def grid(none_with_strips=0.05, spread=0.0005, seeds=5):
    """Two ways to cut by four positions; without positions ``tiles`` lose 5 points."""
    rng = np.random.default_rng(1)
    lost = {"learned": 0.0, "none": 0.05, "sinusoidal": 0.007, "rope2d": 0.008}
    arms = {}
    for chunking in ("tiles", "horizontal"):
        for positional in POSITIONS:
            loss = none_with_strips if (chunking, positional) == ("horizontal", "none") else lost[positional]
            arms[f"{chunking}/{positional}"] = 0.97 - loss + rng.normal(0, spread, seeds)
    return arms


def told_grid(**options):
    return Told(grid(**options), {"chunking": ("tiles", "horizontal"), "positional": POSITIONS})


def speeds(**ratios):
    rng = np.random.default_rng(2)
    return {name: (1000 * ratio * np.exp(rng.normal(0, 0.005, 7))).tolist() for name, ratio in ratios.items()}


def test_a_level_that_wins_is_to_be_used():
    found = Told({"cls": BASE, "mean": BASE + 0.01 + 0.0003 * ALTERNATING})
    assert found.answer["Choose"] == (
        "Use `pooling` mean: better than cls by 1.00 points (0.97 to 1.03) (n = 8, 95 % intervals in brackets)."
    )
    assert not {"Does not matter", "Open", "It depends"} & set(found.answer)


def test_of_several_that_are_better_validation_chooses():
    arms = {"cls": BASE, "mean": BASE + 0.010 + 0.0003 * ALTERNATING, "max": BASE + 0.012 - 0.0003 * ALTERNATING}
    assert Told(arms).answer["Choose"].startswith("Use `pooling` max: better than cls by 1.20 points")
    found = Told(arms, validation={"mean": BASE + 0.02})
    assert found.answer["Choose"].startswith("Use `pooling` mean: better than cls by 1.00 points")


def test_a_baseline_that_wins_is_to_be_kept():
    found = Told({"cls": BASE, "mean": BASE - 0.01 + 0.0003 * ALTERNATING})
    assert found.answer["Choose"] == (
        "Keep `pooling` cls: mean costs 1.00 points (0.97 to 1.03) (n = 8, 95 % intervals in brackets)."
    )


def test_several_losses_say_the_verb_and_the_unit_once_the_largest_first():
    said = told_grid().answer["Choose"]
    assert re.fullmatch(
        r"Keep `positional` learned: none costs 5\.\d\d points \(.*?\), rope2d 0\.\d\d \(.*?\), sinusoidal 0\.\d\d "
        r"\([\d. to]+\) \(n = 5, 95 % intervals in brackets\)\.",
        said,
    )
    assert said.count("costs") == said.count("points") == 1


def test_equivalent_makes_no_winner():
    found = Told({"cls": BASE, "mean": BASE + 0.0003 + 0.0003 * ALTERNATING})
    assert found.answer["Does not matter"] == (
        "`pooling` mean instead of cls (+0.03 points, 0.00 to +0.06): no difference that matters (within 0.2 points)."
    )
    assert found.answer["Choose"].startswith("Nothing yet")
    assert not WINNING.search(found.answer["Does not matter"])


def test_what_is_open_says_what_would_have_shown_and_what_would_settle_it():
    found = Told({"cls": BASE, "mean": BASE + 0.001 + 0.006 * ALTERNATING})
    row = found.effects.iloc[0]
    level = row["alpha"] * row["share"] / row["family_size"]
    low, high = seeds_range(*row[["low", "high", "error", "df", "n", "margin"]], level)
    assert found.answer["Open"] == (
        "Not settled: `pooling` mean instead of cls (+0.10 points, −0.44 to +0.64); a difference of "
        f"{100 * row['detectable']:.2f} points would have shown with 80 % probability, and about "
        f"{row['seeds_needed']:,.0f} seeds would settle it, were these differences the truth "
        f"({low:,.0f} to {high:,.0f}, were it another of the interval)."
    )
    assert low < row["seeds_needed"] <= high
    assert "Does not matter" not in found.answer


@pytest.mark.parametrize("difference", [0.0, 0.02, -0.02])
def test_no_winning_word_without_a_winning_verdict(difference):
    """Large differences of two seeds that scatter: nothing is shown, so nothing is said to win."""
    found = Told({"cls": BASE[:2], "mean": BASE[:2] + difference + 0.02 * ALTERNATING[:2]})
    assert set(found.contrasts["verdict"]) == {"undecided"}
    assert found.answer["Choose"] == (
        "Nothing yet: no change from the baseline `cls` is shown to be better or worse (n = 2)."
    )
    rest = " ".join(text for topic, text in found.answer.items() if topic != "Choose")
    assert not WINNING.search(rest)


def test_every_change_is_said_once_by_its_verdict():
    found = told_grid(none_with_strips=0.005)
    verdicts = {row["a"]: row["verdict"] for _, row in found.effects.iterrows()}
    assert verdicts == {"horizontal": "equivalent", "none": "worse", "sinusoidal": "worse", "rope2d": "worse"}
    assert "horizontal" in found.answer["Does not matter"]
    assert "horizontal" not in found.answer["Choose"]
    assert all(name in found.answer["Choose"] for name in POSITIONS)


def test_one_seed_decides_nothing_and_has_no_interval():
    found = Told({"cls": [0.97], "mean": [0.99]})
    assert found.answer["Open"] == (
        "Not settled: `pooling` mean instead of cls (+2.00 points); one seed tells nothing of luck, so more are needed."
    )
    assert not WINNING.search(found.answer["Open"])


def test_a_difference_that_accuracies_cannot_have_is_not_named():
    wild = np.array([0.1, 0.95])
    found = Told({"cls": wild, "mean": wild[::-1]})
    assert (found.effects["detectable"] > 1).all()
    assert "no difference would have shown with 80 % probability" in found.answer["Open"]


def test_a_look_before_the_planned_one_says_so():
    effects = Told({"cls": BASE, "mean": BASE + 0.001 + 0.006 * ALTERNATING}).effects.assign(share=0.0)
    said = answers.still_open(effects)
    assert said.endswith("nothing is decided before the planned look.")
    assert "would have shown" not in said


def test_more_than_three_are_counted():
    arms = {name: BASE + 0.02 * ALTERNATING * (-1) ** i for i, name in enumerate(("0", "1", "2", "4", "7"))}
    found = Told(arms, {"num_registers": (0, 1, 2, 4, 7)})
    assert found.answer["Open"].count("instead of") == 3
    assert ", 1 more;" in found.answer["Open"]


def test_where_factors_interact_the_answer_says_on_what_it_depends():
    found = told_grid(none_with_strips=0.005)
    said = found.answer["It depends"]
    assert said.startswith("How much `positional` matters depends on the other choices: none instead of learned makes")
    largest, smallest = (float(text.replace("−", "-")) for text in re.findall(r"[−+]\d\.\d\d", said))
    assert (largest, smallest) == pytest.approx((-5.0, -0.5), abs=0.1)
    assert "over 2 settings" in said


def test_without_an_interaction_nothing_depends():
    assert "It depends" not in told_grid().answer


def test_the_fastest_arm_that_is_not_worse_is_named_with_its_accuracy():
    arms = {"cls": BASE, "mean": BASE + 0.0003 * ALTERNATING, "map": BASE - 0.02 + 0.0003 * ALTERNATING}
    said = Told(arms, speeds=speeds(cls=1.0, mean=1.5, map=3.0)).answer["Speed"]
    found = re.fullmatch(
        r"Of the arms not shown to be less accurate, `mean` trains fastest, (1\.\d\d) times as fast as the baseline "
        r"\((1\.\d\d) to (1\.\d\d)\), at 0\.00 points, −0\.0\d to \+0\.0\d of accuracy \(equivalent\)\.",
        said,
    )
    assert found
    assert [float(text) for text in found.groups()] == pytest.approx([1.5] * 3, abs=0.05)


def test_no_arm_is_called_faster_that_is_not_shown_to_be():
    arms = {"cls": BASE, "mean": BASE + 0.0003 * ALTERNATING}
    expected = "No arm is shown to train faster than the baseline `cls` without being shown less accurate."
    assert Told(arms, speeds=speeds(cls=1.0, mean=0.7)).answer["Speed"] == expected
    assert Told(arms, speeds={"cls": [1000.0], "mean": [3000.0]}).answer["Speed"] == expected


def test_without_speed_nothing_is_said_of_cost():
    assert Told({"cls": BASE, "mean": BASE}).answer["Speed"].startswith("Not measured")


def test_a_study_without_a_complete_trial_has_no_answer():
    found = Told({"cls": [np.nan], "mean": [np.nan]})
    assert list(found.answer) == ["No answer yet"]
    assert found.details == {}


def test_an_arm_whose_trials_all_failed_is_not_compared():
    found = Told({"cls": BASE, "mean": BASE * np.nan})
    assert found.answer == {"One arm": "Only `cls` has results, so there is nothing to compare it with."}


def test_a_failed_baseline_leaves_nothing_to_compare_with():
    found = Told({"cls": BASE * np.nan, "mean": BASE, "map": BASE - 0.01})
    assert found.answer["Open"].endswith("without a seed complete in both nothing can be compared.")
    assert not WINNING.search(found.answer["Open"])
