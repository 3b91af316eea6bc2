"""Which contrasts a study has, and what every change does: alone, in each setting, on average."""

import numpy as np
import pandas as pd
import pytest
import torch

import tiny
from studies.findings.effects import contrasts_frame, effects_frame, image_errors, settings_of, single_changes
from studies.findings.tables import runs_frame
from studies.statistics.families import COLUMNS
from studies.statistics.images import image_error
from studies.trial.record import pack
from told import ALTERNATING, BASE, runs_of, study_of

FACTORS = {"depth": (3, 2), "pooling": ("mean", "cls")}  # the baseline: 3 and cls


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    return tiny.filled(tmp_path_factory.mktemp("filled"))


@pytest.fixture(scope="module")
def contrasts(ledger):
    return contrasts_frame(ledger.plan, runs_frame(ledger, ledger.plan))


def crossed(interaction=0.0):
    """Depth brings 2 points and mean pooling costs 1, or more where the network is deep."""
    noise = np.random.default_rng(3).normal(0, 0.0003, (2, 2, 8))
    return {
        f"{depth}/{pooling}": BASE - 0.1 + 0.02 * i - 0.01 * j - interaction * i * j + noise[i, j]
        for i, depth in enumerate((2, 3))
        for j, pooling in enumerate(("cls", "mean"))
    }


def effects_of(interaction, interacting=()):
    plan = study_of(FACTORS)
    plan_contrasts = contrasts_frame(plan, runs_of(plan, crossed(interaction)))
    return plan, plan_contrasts, effects_frame(plan, plan_contrasts, interacting)


def test_levels_keep_their_type_where_those_of_another_factor_are_fractions():
    plan = study_of({"depth": (3, 2), "layer_scale": (0.0, 0.1)})
    arms = {cell.name: BASE + 0.001 * i * ALTERNATING for i, cell in enumerate(plan.cells)}
    effects = effects_frame(plan, contrasts_frame(plan, runs_of(plan, arms)), ())
    assert [list(map(str, effects[side])) for side in "ab"] == [["2", "0.1"], ["3", "0.0"]]


def test_contrasts_pair_seeds_with_the_baseline(ledger, contrasts):
    runs = runs_frame(ledger, ledger.plan)
    assert list(contrasts.columns) == COLUMNS
    row = contrasts[(contrasts["factor"] == "cell") & (contrasts["a"] == "14/mean")].iloc[0]
    complete = runs[runs["status"] == "complete"]
    wide = complete.pivot(index="seed", columns="cell", values="test_accuracy").astype(float)
    assert row["difference"] == pytest.approx((wide["14/mean"] - wide["14/cls"]).mean())
    assert (row["n"], row["dropped"], row["b"]) == (2, 1, "14/cls")


def test_arms_then_settings_then_averages(contrasts):
    kinds = ["cell" if f == "cell" else "setting" if s else "average" for f, s in
             zip(contrasts["factor"], contrasts["setting"], strict=True)]  # fmt: skip
    assert kinds == ["cell"] * 3 + ["setting"] * 4 + ["average"] * 2


def test_one_factor_has_no_settings():
    plan = study_of({"pooling": ("cls", "mean")})
    assert set(contrasts_frame(plan, runs_of(plan, {"cls": BASE, "mean": BASE - 0.01}))["setting"]) == {""}


def test_an_effect_is_the_change_of_the_baseline_alone(ledger, contrasts):
    effects = effects_frame(ledger.plan, contrasts)
    assert [(r["factor"], r["a"], r["b"]) for _, r in effects.iterrows()] == [
        ("patch_size", (14, 28), 14),
        ("pooling", "mean", "cls"),
    ]
    arms = contrasts[contrasts["factor"] == "cell"].set_index("a")
    for cell, (_, effect) in zip(("14x28/cls", "14/mean"), effects.iterrows(), strict=True):
        assert effect["difference"] == arms.loc[cell, "difference"]
        assert effect["verdict"] == arms.loc[cell, "verdict"]
    assert [(factor, level) for factor, level, _ in single_changes(ledger.plan)] == [
        ("patch_size", (14, 28)), ("patch_size", 5), ("pooling", "mean")]  # fmt: skip


def test_a_change_is_shown_in_every_setting_and_on_average():
    _, contrasts, effects = effects_of(interaction=0.03)
    mean = effects[effects["factor"] == "pooling"].iloc[0]
    assert (mean["difference"], mean["smallest"], mean["largest"]) == pytest.approx((-0.04, -0.01, -0.04), abs=0.001)
    assert mean["average"] == pytest.approx(-0.025, abs=0.001)
    assert mean["average_low"] < mean["average"] < mean["average_high"]
    assert (mean["verdict"], mean["average_verdict"], mean["settings"]) == ("worse", "worse", 2)
    assert settings_of(contrasts, mean)["setting"].tolist() == ["depth=2", "depth=3"]


def test_the_average_is_turned_away_from_the_baseline():
    """Also where the baseline's level was declared last."""
    _, contrasts, effects = effects_of(interaction=0.0)
    for factor, verdict, difference in (("depth", "worse", -0.02), ("pooling", "worse", -0.01)):
        effect = effects[effects["factor"] == factor].iloc[0]
        assert (effect["verdict"], effect["average_verdict"]) == (verdict, verdict)
        assert effect["average"] == pytest.approx(difference, abs=0.001)
        row = contrasts[(contrasts["factor"] == factor) & (contrasts["setting"] == "")].iloc[0]
        assert row[["a", "b", "difference"]].tolist() == [effect["a"], effect["b"], effect["average"]]


def test_only_factors_whose_interaction_was_shown_are_marked():
    effects = effects_of(0.03, ["pooling"])[2]
    assert dict(zip(effects["factor"], effects["interacts"], strict=True)) == {"depth": False, "pooling": True}


def outcomes(arms, images=400):
    rng = np.random.default_rng(5)
    taste = {name: rng.uniform(0.5, 1.0, images) for name in arms}
    return {name: [torch.from_numpy(rng.random(images) < taste[name]) for _ in range(8)] for name in arms}


def test_the_choice_of_images_is_judged_from_what_was_right():
    plan, arms = study_of({"pooling": ("cls", "mean")}), {"cls": BASE, "mean": BASE - 0.01 + 0.0003 * ALTERNATING}
    right = outcomes(arms)
    runs = runs_of(plan, arms, {name: [pack(one) for one in kept] for name, kept in right.items()})
    a, b = (np.stack([one.numpy() for one in right[name]]) for name in ("mean", "cls"))
    assert image_errors(plan, runs) == {"mean": pytest.approx(image_error(a, b))}
    row = contrasts_frame(plan, runs).iloc[0]
    assert row["image_error"] > 0
    assert row["low_images"] < row["low"] < row["high"] < row["high_images"]
    # a point is shown of these images, but 400 of them tell nothing of new ones
    assert (row["verdict"], row["verdict_images"]) == ("worse", "undecided")


def test_without_kept_outcomes_nothing_is_said_of_new_images():
    plan = study_of({"pooling": ("cls", "mean")})
    runs = runs_of(plan, {"cls": BASE, "mean": BASE - 0.01})
    assert image_errors(plan, runs.drop(columns="test_correct")) == {}
    assert set(contrasts_frame(plan, runs)["verdict_images"]) == {""}
    assert image_errors(plan, pd.concat([runs, runs[:0]])) == {}
