from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import studies
from studies.statistics import judge
from studies.statistics.families import contrasts_against, simple_effects
from studies.statistics.foresight import foresee
from studies.statistics.holm import holm_adjusted
from studies.statistics.moderated import Differences
from studies.statistics.power import detectable_difference, seeds_needed
from studies.statistics.question import Question
from studies.statistics.refereeing import COLUMNS
from studies.statistics.screening import RunsError

OURS = Path(studies.__file__).parents[1] / "docs" / "examples" / "ours.csv"


@pytest.fixture(scope="module")
def ours() -> pd.DataFrame:
    return pd.read_csv(OURS, keep_default_na=False)


def runs(arms: dict[str, float], seeds: int = 6, spread: float = 0.002, **columns) -> pd.DataFrame:
    """Arms of these mean accuracies, with noise of their own."""
    rng = np.random.default_rng(0)
    rows = [
        {"model": arm, "seed": seed, "acc": mean + spread * rng.normal(), **columns}
        for arm, mean in arms.items()
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


THREE = {"resnet": 0.90, "vit": 0.92, "mixer": 0.9001}


def test_the_verdicts_are_those_of_the_suite(ours):
    found = judge(ours, "cell", "test_accuracy", "seed", baseline="tiles/learned/cls")
    expected = contrasts_against(ours, "tiles/learned/cls")
    same = ["a", "b", "n", "verdict", "seeds_needed"]
    pd.testing.assert_frame_equal(pd.DataFrame(found)[same], expected[same], check_dtype=False)
    for name in ("difference", "low", "high", "p", "p_holm"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["detectable"], expected["detectable"], rtol=0.005)
    assert found["paired"].all()
    assert (found["verdict"] == "worse").sum() == 18


def test_factors_are_judged_as_simple_effects(ours):
    factors = ["chunking", "positional", "pooling"]
    split = ours.assign(**ours["cell"].str.split("/", expand=True).set_axis(factors, axis=1))
    found = judge(split, None, "test_accuracy", "seed", "tiles/learned/cls", factors=factors)
    expected = simple_effects(split, factors, dict(zip(factors, ["tiles", "learned", "cls"], strict=True)))
    keys = ["factor", "a", "b", "setting"]
    both = pd.DataFrame(found).merge(expected, on=keys, suffixes=("", "_suite"))
    assert len(both) == len(expected) == len(found)
    np.testing.assert_allclose(both["p_holm"], both["p_holm_suite"], rtol=1e-9, atol=1e-12)
    assert list(both["verdict"]) == list(both["verdict_suite"])


def test_the_named_columns_are_there_and_first():
    found = judge(runs(THREE), "model", "acc", "seed")
    assert list(found) == COLUMNS
    assert {"a", "b", "n", "difference", "low", "high", "p", "p_holm", "verdict"} <= {*found}
    assert list(zip(found["a"], found["b"], strict=True)) == [("resnet", "vit"), ("resnet", "mixer"), ("vit", "mixer")]
    assert found["verdict"].iloc[0] == "worse"
    np.testing.assert_allclose(found["p_holm"], holm_adjusted(found["p"]))


def test_two_arms_alone_are_the_plain_paired_t():
    frame = runs({"a": 0.9, "b": 0.902})
    wide = frame.pivot(index="seed", columns="model", values="acc")
    (p,) = judge(frame, "model", "acc", "seed")["p"]
    assert p == pytest.approx(stats.ttest_rel(wide["a"], wide["b"]).pvalue)


@pytest.mark.parametrize("apart", ["no column", "other seeds"])
def test_without_common_seeds_it_is_welch_with_holm_and_said_so(apart):
    frame = runs(THREE)
    frame = frame[~((frame["model"] == "vit") & (frame["seed"] > 3))]  # unequal numbers
    frame["seed"] = np.arange(len(frame))
    found = judge(frame, "model", "acc", None if apart == "no column" else "seed")
    values = {name: rows["acc"] for name, rows in frame.groupby("model")}
    expected = [
        stats.ttest_ind(values[a], values[b], equal_var=False) for a, b in zip(found["a"], found["b"], strict=True)
    ]
    np.testing.assert_allclose(found["p"], [one.pvalue for one in expected])
    np.testing.assert_allclose(found["low"], [one.confidence_interval().low for one in expected])
    np.testing.assert_allclose(found["p_holm"], holm_adjusted(found["p"]))
    assert not found["paired"].any()
    assert list(found["n"]) == [4, 6, 4]
    assert "unpaired (Welch's t test)" in found.attrs["notes"][-1]


def test_paired_and_unpaired_stand_in_one_family():
    frame = runs(THREE)
    frame.loc[frame["model"] == "mixer", "seed"] += 100
    found = judge(frame, "model", "acc", "seed")
    assert list(found["paired"]) == [True, False, False]
    assert set(found["family_size"]) == {3}
    assert found.attrs["notes"][-1].startswith("too few seeds of seed are shared: 2 of 3 comparisons are unpaired")


def test_every_data_set_is_a_family_and_judged_alone():
    frame = pd.concat([runs(THREE, data="mnist"), runs(dict(zip(THREE, (0.5, 0.4, 0.5), strict=True)), data="cifar")])
    found = judge(frame, "model", "acc", "seed", "resnet", "data")
    assert list(found["dataset"]) == ["mnist"] * 2 + ["cifar"] * 2
    assert list(found["verdict"])[::2] == ["better", "worse"]
    alone = judge(frame[frame["data"] == "cifar"], "model", "acc", "seed", "resnet")
    np.testing.assert_allclose(found["p_holm"][2:], alone["p_holm"])


def test_a_data_set_without_the_baseline_is_said():
    frame = pd.concat([runs(THREE, data="mnist"), runs({"vit": 0.5, "mixer": 0.4}, data="cifar")])
    found = judge(frame, "model", "acc", "seed", "resnet", "data")
    assert set(found["dataset"]) == {"mnist"}
    assert "cifar: no run of 'resnet' counts, so nothing is compared" in found.attrs["notes"]


@pytest.mark.parametrize(
    ("metric", "times", "options", "margin"),
    [
        ("acc", 1, {}, 0.002),
        ("acc", 100, {}, 0.2),
        ("acc", 1000, {}, 0.0),
        ("val_loss", 1, {}, 0.0),
        ("whatever", 1, {"higher_is_better": False}, 0.0),
        ("error_rate", 1, {"higher_is_better": False}, 0.002),
        ("val_loss", 1, {"margin": 0.5}, 0.5),
    ],
)
def test_a_margin_by_default_goes_with_shares_only(metric, times, options, margin):
    frame = runs(THREE).assign(**{metric: lambda f: times * f["acc"]})
    found = judge(frame, "model", metric, "seed", **options)
    assert set(found["margin"]) == {margin}
    if margin == 0:
        assert "equivalent" not in set(found["verdict"])


def test_close_arms_are_equivalent_and_low_can_be_better():
    frame = runs({"a": 0.9, "b": 0.9001, "c": 0.95}, seeds=12, spread=0.0003)
    found = judge(frame, "model", "acc", "seed", higher_is_better=False, margin=0.002)
    assert list(found["verdict"]) == ["equivalent", "better", "better"]


def test_what_does_not_count_is_counted():
    frame = runs(THREE).astype({"acc": object, "seed": object})
    frame["status"] = "FINISHED"
    frame.loc[0, "status"] = "FAILED"
    frame.loc[1, "acc"] = "diverged"
    frame.loc[[2, 3], "acc"] = [np.nan, np.inf]
    frame.loc[6, "model"] = None
    frame.loc[7, "seed"] = None
    frame = pd.concat([frame, frame.iloc[[10]]])
    found = judge(frame, "model", "acc", "seed")
    assert found.attrs["notes"] == [
        "left out: 1 run whose status is FAILED",
        "left out: 1 run without model",
        "left out: 1 run without seed",
        "left out: 1 run with text in acc ('diverged')",
        "left out: 2 runs without a finite number in acc",
        "left out: 1 run listed again with the same value",
    ]
    assert list(found["n_a"]) == [2, 2, 4]


def test_a_failed_run_and_its_repetition_are_no_duplicates():
    frame = runs(THREE).assign(state="complete")
    frame = pd.concat([frame, frame.iloc[[0]].assign(state="failed", acc=0.1)])
    assert set(judge(frame, "model", "acc", "seed")["n"]) == {6}


def test_a_column_named_state_may_be_a_place():
    frame = runs(THREE).assign(state="Texas")
    assert judge(frame, "model", "acc", "seed").attrs["notes"] == []


@pytest.mark.parametrize(
    ("change", "words", "message"),
    [
        (lambda f: f, {"arm": "nosuch"}, "no column 'nosuch'; choices: model, seed, acc"),
        (lambda f: f, {"arm": None}, "nothing says what is compared"),
        (lambda f: f, {"baseline": "vti"}, "no arm 'vti' has a run that counts; choices: resnet, vit, mixer"),
        (lambda f: f, {"margin": -1.0}, "margin=-1.0 must be a finite number"),
        (lambda f: f, {"alpha": 2.0}, "alpha=2.0 must lie between 0 and 1"),
        (
            lambda f: f.assign(acc=f["acc"] * (f["seed"] > 9)).assign(acc="good"),
            {},
            "no run of 18 has a number in 'acc'",
        ),
        (lambda f: pd.concat([f, f.assign(acc=0.5)]), {}, "36 runs are of one arm and seed and yet differ"),
        (lambda f: f[f["model"] == "vit"], {}, "only 'vit' has runs that count"),
        (lambda f: f.iloc[:0], {}, "the table has columns and no run"),
        (lambda f: f.set_axis(["model", "acc", "acc"], axis=1), {"seed": None}, "'acc' is the name of 2 columns"),
        (lambda f: f.assign(seed=0), {}, "name what sets them apart as a factor"),
    ],
)
def test_a_table_that_cannot_be_judged_is_one_clear_line(change, words, message):
    with pytest.raises(RunsError, match=message) as raised:
        judge(change(runs(THREE)), **{"arm": "model", "metric": "acc", "seed": "seed", **words})
    assert "\n" not in str(raised.value)


def test_too_many_pairs_ask_for_a_baseline():
    frame = runs({str(i): 0.9 for i in range(120)}, seeds=2)
    with pytest.raises(RunsError, match=r"120 arms make 7,140 comparisons.*name a baseline"):
        judge(frame, "model", "acc", "seed")
    assert len(judge(frame, "model", "acc", "seed", baseline="0")) == 119


def test_one_seed_decides_nothing():
    found = judge(runs(THREE, seeds=1), "model", "acc", "seed")
    assert set(found["verdict"]) == {"undecided"}
    assert found["seeds_needed"].isna().all()
    assert set(found["n"]) == {1}


def test_runs_that_never_differ_are_never_certain():
    found = judge(runs({"a": 0.9, "b": 0.8}, seeds=3, spread=0.0), "model", "acc")
    assert found["p"].item() == pytest.approx(0.25)
    assert found["verdict"].item() == "undecided"


def test_seeds_match_however_they_were_written():
    frame = runs(THREE).astype({"seed": object})
    frame["seed"] = [
        f"{seed}.0" if model == "vit" else str(seed) for model, seed in zip(frame.model, frame.seed, strict=True)
    ]
    assert judge(frame, "model", "acc", "seed")["paired"].all()


def test_a_notebook_shows_an_escaped_table_with_its_notes():
    frame = runs({"<b>": 0.9, "a&b": 0.91}).assign(status=["failed", *["complete"] * 11])
    shown = judge(frame, "model", "acc", "seed")._repr_html_()
    assert "<td>&lt;b&gt;</td>" in shown
    assert "<p>left out: 1 run whose status is failed</p>" in shown
    assert judge(frame, "model", "acc", "seed")[["a"]]._repr_html_().count("<td>") == 1


@pytest.mark.parametrize("level", [0.01, 0.00017])
def test_foresight_for_many_is_that_for_one(level):
    rng = np.random.default_rng(1)
    k = 60
    n = rng.integers(2, 12, k)
    df, error = np.maximum((n - 1) * rng.uniform(1, 4, k), 3), rng.uniform(0.3, 1, k)
    found = Differences(rng.normal(0, 1.5, k) * error, error, df, n)
    detectable, needed = foresee(found, np.ones(k, bool), Question(margin=1.0, alpha=level * k))
    own = [seeds_needed(found.difference[i], error[i], df[i], int(n[i]), 1.0, level) for i in range(k)]
    assert np.abs(needed - np.maximum(own, n + 1)).max() <= 1
    np.testing.assert_allclose(
        detectable, [e * detectable_difference(1, d, level) for e, d in zip(error, df, strict=True)], rtol=0.005
    )
