import dataclasses
import hashlib
import json

import pytest

import tiny
from studies.design import (
    HASH_VERSION,
    STUDIES,
    Cell,
    DesignError,
    Plan,
    Trial,
    apply,
    expand,
    parse_settings,
)
from studies.recipe import Recipe, RecipeError
from vit import ConfigError, ViTConfig

CONFIG = ViTConfig(patch_size=7, embed_dim=16, depth=1, num_heads=2)
CELL = Cell("tiles", {"chunking": "tiles"}, CONFIG, Recipe(), "mnist")


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
    with pytest.raises(DesignError, match="baseline 'cls' of 'tiny' is not among its cells"):
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
    with pytest.raises(DesignError, match="no setting is called 'nosuch'; choices: activation, "):
        tiny.plan({"nosuch": (1, 2)})


def test_a_plan_survives_json_tuples_and_reasons_included():
    base = ViTConfig(patch_size=(14, 28), embed_dim=8, depth=1, num_heads=1)
    plan = tiny.plan({"patch_size": (14, (14, 28), 5), "pooling": ("cls", "mean")}, base=base)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert plan.baseline == "14x28/cls"
    again = Plan.from_json(plan.to_json())
    assert [trial.content_hash for trial in again.trials] == [trial.content_hash for trial in plan.trials]


def test_the_identity_of_a_trial_is_stable():
    assert CELL.content_hash == "8e23852f1435f7fd"
    assert Trial(CELL, 3).content_hash == "4580314670f622b7"


def test_a_changed_default_needs_a_new_hash_version():
    """Fields at their default are left out of the hash: after raising HASH_VERSION, pin the defaults anew."""
    defaults = {f.name: f.default for described in (ViTConfig, Recipe) for f in dataclasses.fields(described)}
    text = json.dumps([HASH_VERSION, defaults], sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:8] == "1ea712b8"


CONFIG_CHANGES = {
    "image_size": 14,
    "in_channels": 3,
    "num_classes": 7,
    "chunking": "horizontal",
    "patch_size": 14,
    "num_strips": None,
    "positional": "none",
    "pooling": "mean",
    "num_registers": 1,
    "embed_dim": 8,
    "depth": 2,
    "num_heads": 1,
    "mlp_ratio": 3.0,
    "activation": "relu",
    "qkv_bias": False,
    "out_proj": False,
    "final_norm": False,
    "dropout": 0.1,
    "attention_dropout": 0.1,
}
RECIPE_CHANGES = {
    "epochs": 11,
    "batch_size": 64,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "beta2": 0.9,
    "schedule": "linear",
    "warmup": 0.2,
    "label_smoothing": 0.1,
    "max_translation": 1,
    "normalize": False,
    "attention": "sdpa",
    "dtype": "bfloat16",
    "compile": True,
    "replica": 1,
}


def test_the_identity_depends_on_every_field():
    assert set(CONFIG_CHANGES) == {f.name for f in dataclasses.fields(ViTConfig)}
    assert set(RECIPE_CHANGES) == {f.name for f in dataclasses.fields(Recipe)}
    cells = [CELL, dataclasses.replace(CELL, dataset="other")]
    for name, value in CONFIG_CHANGES.items():
        change = (
            {"num_strips": 4, "patch_size": None, "chunking": "horizontal"} if name == "num_strips" else {name: value}
        )
        cells.append(dataclasses.replace(CELL, config=CONFIG.replace(**change)))
    cells += [dataclasses.replace(CELL, recipe=Recipe(**{name: value})) for name, value in RECIPE_CHANGES.items()]
    assert len({cell.content_hash for cell in cells}) == len(cells)
    assert Trial(CELL, 0).content_hash != Trial(CELL, 1).content_hash


def test_the_identity_ignores_names():
    renamed = dataclasses.replace(CELL, name="other", levels={})
    assert renamed.content_hash == CELL.content_hash


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
