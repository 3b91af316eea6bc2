import dataclasses
import json

import pytest

import tiny
from studies.design.expand import expand
from studies.design.plan import Cell, Plan, Trial
from studies.design.settings import DesignError, apply, parse_settings
from studies.design.study import STUDIES
from studies.training.recipe import Recipe, RecipeError
from studies.trial.setup import Setup
from vit import ConfigError, ViTConfig

CONFIG = ViTConfig(patch_size=7, embed_dim=16, depth=1, num_heads=2)


def test_factors_are_crossed_in_order_and_trials_go_seed_by_seed():
    plan = tiny.plan({"pooling": ("cls", "mean"), "depth": (1, 2)})
    assert [cell.name for cell in plan.cells] == ["cls/1", "cls/2", "mean/1", "mean/2"]
    assert plan.baseline == "cls/1"
    assert [trial.seed for trial in plan.trials] == [0] * 4 + [1] * 4
    assert plan.cells[3].config == tiny.MODEL.replace(pooling="mean", depth=2)
    assert plan.folder == "tiny-mnist-cpu"


def test_a_factor_may_be_a_field_of_the_recipe():
    plan = tiny.plan({"learning_rate": (0.01, 0.1)})
    assert [cell.recipe.learning_rate for cell in plan.cells] == [0.01, 0.1]
    assert [cell.config for cell in plan.cells] == [tiny.MODEL] * 2


def test_no_factor_is_one_arm():
    plan = tiny.plan({})
    assert [cell.name for cell in plan.cells] == [plan.baseline] == ["baseline"]


def test_an_impossible_combination_keeps_its_reason_and_has_no_trials():
    plan = tiny.plan({"patch_size": (14, 5), "learning_rate": (0.01, -1.0)})
    reasons = {cell.name: cell.reason for cell in plan.cells}
    assert reasons["14/0.01"] is None
    assert "patch_size=5" in reasons["5/0.01"]
    assert "learning_rate=-1.0 must be a number" in reasons["14/-1.0"]
    assert [cell.name for cell in plan.runnable] == ["14/0.01"]
    assert len(plan.trials) == 2


def test_a_baseline_must_be_there_and_possible():
    with pytest.raises(DesignError, match="pooling='cls' of the baseline of 'tiny' is none of its levels mean, map"):
        tiny.plan({"pooling": ("mean", "map")})
    study = tiny.study({"pooling": ("cls", "mean")})
    broken = dataclasses.replace(study, recipe=tiny.RECIPE)
    object.__setattr__(broken.base, "patch_size", 5)
    try:
        with pytest.raises(DesignError, match="cannot be built: patch_size=5"):
            expand(broken, "cpu")
    finally:
        object.__setattr__(broken.base, "patch_size", 14)


def test_a_factor_that_nothing_knows_is_refused():
    with pytest.raises(
        DesignError, match=r"no setting is called 'nosuch' \(a factor of 'tiny'\); choices: activation, "
    ):
        tiny.plan({"nosuch": (1, 2)})


def test_a_plan_survives_json_tuples_and_reasons_included():
    base = ViTConfig(patch_size=(14, 28), embed_dim=8, depth=1, num_heads=1)
    plan = tiny.plan({"patch_size": (14, (14, 28), 5), "pooling": ("cls", "mean")}, base=base)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert plan.baseline == "14x28/cls"
    again = Plan.from_json(plan.to_json())
    assert [trial.content_hash for trial in again.trials] == [trial.content_hash for trial in plan.trials]


STORED = {
    "study": "tiny",
    "question": "Does it run?",
    "dataset": "mnist",
    "device": "cpu",
    "factors": {"patch_size": [[14, 28], 5]},
    "baseline": "14x28",
    "cells": [
        {
            "name": "14x28",
            "levels": {"patch_size": [14, 28]},
            "config": {"patch_size": [14, 28], "embed_dim": 8, "depth": 1, "num_heads": 1},
            "recipe": {"epochs": 1, "batch_size": 1000},
            "dataset": "mnist",
            "reason": None,
        },
        {
            "name": "5",
            "levels": {"patch_size": 5},
            "config": None,
            "recipe": {"epochs": 1, "batch_size": 1000},
            "dataset": "mnist",
            "reason": "patch_size=5 does not divide 28",
        },
    ],
    "seeds": [0, 1],
}
"""A plan as it stands in ledgers; that of a cell that cannot be once had a recipe too."""


def test_a_stored_plan_is_read():
    plan = Plan.from_json(STORED)
    good, bad = plan.cells
    config = ViTConfig(patch_size=(14, 28), embed_dim=8, depth=1, num_heads=1)
    assert good.setup == Setup(config, Recipe(epochs=1, batch_size=1000), "mnist")
    assert (bad.setup, bad.reason) == (None, "patch_size=5 does not divide 28")
    assert len(plan.trials) == 2
    written = plan.to_json()["cells"]
    assert [list(cell) for cell in written] == [list(cell) for cell in STORED["cells"]]
    assert written[0]["config"].items() >= STORED["cells"][0]["config"].items()


def test_the_identity_of_a_trial_is_that_of_its_setup_and_ignores_names():
    setup = Setup(CONFIG, Recipe(), "mnist")
    cell = Cell("tiles", {"chunking": "tiles"}, setup)
    assert cell.content_hash == dataclasses.replace(cell, name="other", levels={}).content_hash == setup.content_hash
    assert Trial(cell, 3).content_hash == setup.trial_hash(3)


def test_an_impossible_cell_has_no_identity_and_says_why():
    with pytest.raises(AssertionError, match="tiles cannot be trained: no room"):
        Cell("tiles", {}, None, "no room").content_hash  # noqa: B018


def test_settings_reach_model_and_recipe_and_enter_the_name():
    settings = {"depth": 3, "epochs": 4, "chunking": "tiles", "patch_size": (14, 28)}
    study = tiny.study({"pooling": ("cls", "mean")}).with_settings(settings)
    assert (study.base.depth, study.recipe.epochs) == (3, 4)
    assert study.name == "tiny+depth=3+epochs=4+chunking=tiles+patch_size=14x28"


def test_a_factor_that_is_set_varies_no_more():
    plan = expand(tiny.study({"pooling": ("cls", "mean"), "depth": (1, 2)}).with_settings({"pooling": "mean"}), "cpu")
    assert [cell.name for cell in plan.cells] == ["1", "2"]
    assert {cell.config.pooling for cell in plan.cells} == {"mean"}


def test_other_settings_have_another_folder():
    study = tiny.study({"pooling": ("cls", "mean")})
    variants = [study, study.as_quick()]
    for settings in ({"depth": 2}, {"depth": 3}, {"embed_dim": 16}, {"depth": 2, "embed_dim": 16}, {"epochs": 2}):
        variants += [study.with_settings(settings), study.as_quick().with_settings(settings)]
    folders = [expand(variant, device).folder for variant in variants for device in ("cpu", "cuda:0", "mps")]
    assert len(set(folders)) == len(folders)
    assert not [folder for folder in folders if "/" in folder]


def test_quick_is_less_training_under_another_name():
    quick = tiny.study({"pooling": ("cls",)}, quick={"batch_size": 500}, seeds=5).as_quick()
    assert (quick.name, quick.recipe.batch_size, quick.seeds) == ("tiny-quick", 500, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("depth=2", 2),
        ("pooling=mean", "mean"),
        ("patch_size=(7, 14)", (7, 14)),
        (" mlp_ratio = 2.5 ", 2.5),
        ("num_strips=None", None),
        ("qkv_bias=False", False),
        ("pooling=a=b", "a=b"),
        ("pooling='mean'", "mean"),
        ("depth={[]: 1}", "{[]: 1}"),
        ("depth=" + "(" * 500, "(" * 500),
        ("depth=", ""),
    ],
)
def test_settings_are_literals_or_words(text, expected):
    assert list(parse_settings([text]).values()) == [expected]


def test_a_setting_without_a_value_says_how():
    with pytest.raises(DesignError, match="'depth': write NAME=VALUE, for example"):
        parse_settings(["depth"])


def test_impossible_settings_are_refused_by_their_owner():
    with pytest.raises(ConfigError, match="patch_size=5"):
        apply(tiny.MODEL, tiny.RECIPE, {"patch_size": 5})
    with pytest.raises(RecipeError, match="epochs=0"):
        apply(tiny.MODEL, tiny.RECIPE, {"epochs": 0})


def test_the_catalog_is_not_touched_by_variants():
    before = dict(STUDIES)
    for study in before.values():
        study.as_quick().with_settings({"depth": 1})
    assert before == STUDIES


def test_where_one_factor_changes_at_a_time_arms_are_named_by_what_they_change(capsys):
    plan = tiny.plan({"pooling": ("cls", "mean"), "patch_size": (14, (7, 28)), "depth": (1, 2)}, design="one-at-a-time")
    assert plan.baseline == "baseline"
    assert sorted(cell.name for cell in plan.cells) == ["baseline", "depth=2", "patch_size=7x28", "pooling=mean"]
    assert [cell.name for cell in tiny.plan({"depth": (1, 2)}, design="one-at-a-time").cells] == ["1", "2"]
    assert tiny.vit_ablate("plan", "components", "--device", "cpu") == 0
    assert "baseline: chunking=tiles, positional=learned, pooling=cls," in " ".join(capsys.readouterr().out.split())
