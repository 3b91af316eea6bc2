"""Studies of a person's own: from a file, from flags; every mistake is one line that says where and what."""

import dataclasses
import json
import re

import pytest

import tiny
from studies.design.expand import check_data, expand
from studies.design.from_file import study_of_file
from studies.design.from_flags import split_levels, study_of_flags
from studies.design.plan import Plan
from studies.design.settings import DesignError
from studies.design.start import START
from studies.design.study import STUDIES
from studies.training.recipe import RecipeError
from vit import ConfigError

GOOD = """\
from studies.design.study import Study
from studies.training.recipe import Recipe
from vit import ViTConfig

study = Study(
    name="mine",
    question="?",
    base=ViTConfig(chunking="horizontal", patch_size=14, embed_dim=8, depth=1, num_heads=1),
    recipe=Recipe(epochs=1, batch_size=1000),
    factors={"pooling": ("cls", "mean")},
    seeds=2,
)
"""


def written(tmp_path, text, name="mine.py"):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def refusal(tmp_path, text):
    """What is said of a file, without the folder it lies in: one line, and nothing is left in the catalog."""
    before = dict(STUDIES)
    with pytest.raises(DesignError) as refused:
        study_of_file(written(tmp_path, text))
    assert before == STUDIES
    said = str(refused.value)
    assert "\n" not in said
    return said.removeprefix(f"{tmp_path}/")


def test_a_file_is_a_study_named_by_its_content(tmp_path):
    study = study_of_file(written(tmp_path, GOOD))
    assert re.fullmatch(r"mine~[0-9a-f]{8}", study.name)
    plan = expand(study, "cpu")
    assert plan.folder == f"{study.name}-mnist-cpu"
    assert [cell.name for cell in plan.cells] == ["cls", "mean"]
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_only_what_decides_the_arms_changes_its_identity(tmp_path):
    def name(old, new):
        return study_of_file(written(tmp_path, GOOD.replace(old, new))).name

    same = name("", "")
    assert name("seeds=2", "seeds=9") == name('question="?"', 'question="Why?"') == same
    others = [
        name('"mean")', '"mean", "map")'),
        name("epochs=1", "epochs=2"),
        name("embed_dim=8", "embed_dim=16"),
        name("seeds=2", 'design="one-at-a-time"'),
    ]
    assert len({same, *others}) == 5


def test_a_file_may_use_the_catalog_and_register(tmp_path):
    varied = "import dataclasses\nimport studies.catalog\nfrom studies.design.study import STUDIES\n"
    first = varied + 'base = STUDIES["pooling"]\nanother = dataclasses.replace(base, name="another", seeds=3)\n'
    assert study_of_file(written(tmp_path, first)).seeds == 3
    second = varied + 'STUDIES["pooling"] = dataclasses.replace(STUDIES["pooling"], name="pooling", seeds=4)\n'
    before = dict(STUDIES)
    assert study_of_file(written(tmp_path, second)).seeds == 4
    assert before == STUDIES


def test_the_start_runs_as_it_is(tmp_path):
    study = study_of_file(written(tmp_path, START.format(name="my_study", file="my_study.py"), "my_study.py"))
    assert study.name.startswith("my_study~")
    assert len(expand(study, "cpu").runnable) == 6
    assert study.as_quick().recipe.epochs == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seeds=2,", "seeds=2,,", "mine.py:11: SyntaxError: invalid syntax"),
        ("from vit import ViTConfig", "from vit import ViTConfg", "mine.py:3: ImportError: cannot import name"),
        (
            '"pooling":',
            '"poling":',
            "mine.py:5: no setting is called 'poling' (a factor of 'mine'); did you mean 'pooling'",
        ),
        (
            '("cls", "mean")',
            '("mean", "map")',
            "mine.py:5: pooling='cls' of the baseline of 'mine' is none of its levels mean, map",
        ),
        (
            '("cls", "mean")',
            '("cls", "men")',
            "mine.py:5: factor pooling of 'mine': unknown pooling 'men'; did you mean 'mean'",
        ),
        ('("cls", "mean")', '"cls"', "mine.py:5: factor 'pooling' has levels 'cls': give several in a tuple"),
        ('("cls", "mean")', "()", "mine.py:5: factor 'pooling' has no levels: give at least one"),
        ("seeds=2", 'search={"droput": None}', "mine.py:5: no setting is called 'droput' (search of 'mine'); did you"),
        ("seeds=2", 'search={"dropout": (0, 1)}', "mine.py:5: search of 'mine': dropout=(0, 1) is neither a Range"),
        ("seeds=2", "objectives=True", "mine.py:5: search of 'mine' is empty: give one setting a Range or a Choice"),
        (
            '("cls", "mean")',
            '("cls", "cls")',
            "mine.py:5: factor 'pooling' has equal levels 'cls' and 'cls': leave one out",
        ),
        ('("cls", "mean")', "(print,)", "mine.py:5: pooling=<built-in function print> is a builtin_function_or_method"),
        (
            '"mean")}',
            '"mean"),\n "pooling": ("map",)}',
            "mine.py:11: 'pooling' stands twice in one dictionary: keep one",
        ),
        (
            '"mean")}',
            '"mean"), "patch_size": (14,), "num_strips": (2,)}',
            "mine.py:5: the factors patch_size and num_strips set the same thing",
        ),
        ("seeds=2", "seeds=0", "mine.py:5: seeds=0 of 'mine': give a number from 1 to 10,000"),
        (
            "seeds=2",
            'design="resolution-9"',
            "mine.py:5: design='resolution-9' of 'mine' is unknown; choices: full, one-at-a-time",
        ),
        ("seeds=2", 'quick={"pooling": "mean"}', "mine.py:5: quick of 'mine' sets pooling, which is a factor"),
        ("seeds=2", "sedes=2", "mine.py:5: TypeError: "),
        ("embed_dim=8", "embed_dim=8.5", "mine.py:8: embed_dim=8.5 must be int"),
        ("epochs=1", "epochs=0", "mine.py:9: epochs=0 must be a number between 1 and"),
        ('name="mine"', 'name="../mine"', "mine.py:5: study name '../mine': use at most 200 letters"),
        ('name="mine"', 'name="mine+depth=3"', "mine.py: name='mine+depth=3' must be at most 60 letters"),
        ("study = ", "study = 1\nnothing = print if True else ", "mine.py declares no Study: write study = Study("),
        ("study = Study(", "raise SystemExit(3)\nstudy = Study(", "mine.py:5: SystemExit: 3"),
    ],
)
def test_a_mistake_in_a_file_is_one_line_with_its_place(tmp_path, old, new, said):
    assert old in GOOD
    assert refusal(tmp_path, GOOD.replace(old, new, 1)).startswith(said)


def test_several_studies_need_one_called_study(tmp_path):
    two = "from dataclasses import replace\n" + GOOD.replace("study = ", "a = ") + 'b = replace(a, name="other")\n'
    assert refusal(tmp_path, two) == "mine.py declares several studies, mine, other: call the one to run study"
    assert study_of_file(written(tmp_path, two + "study = b\n")).name.startswith("other~")


def test_a_missing_file_says_how_to_begin(tmp_path):
    with pytest.raises(DesignError, match=r"there is no file .*gone.py; `vit-ablate new .*gone.py` writes one"):
        study_of_file(tmp_path / "gone.py")


TEMPLATE = tiny.study({"pooling": ("cls", "mean")}, quick={"epochs": 1, "batch_size": 500})


def test_flags_are_a_study_around_the_model_of_another():
    study = study_of_flags(
        TEMPLATE, ["chunking=tiles,horizontal", "patch_size=7,(7, 14)"], "chunking=tiles,patch_size=7", None
    )
    plan = expand(study, "cpu")
    assert re.fullmatch(r"chunking-patch_size~[0-9a-f]{8}", study.name)
    assert plan.baseline == "tiles/7"
    assert [cell.name for cell in plan.cells] == ["tiles/7", "tiles/7x14", "horizontal/7", "horizontal/7x14"]
    assert "7" in next(cell.reason for cell in plan.cells if cell.name == "horizontal/7x14")
    assert study.recipe == TEMPLATE.recipe


def test_a_baseline_that_was_not_typed_is_the_models_own_else_the_first_level():
    assert expand(study_of_flags(TEMPLATE, ["depth=2,1"], None, None), "cpu").baseline == "1"
    assert expand(study_of_flags(TEMPLATE, ["depth=3,2"], None, None), "cpu").baseline == "3"
    strips = study_of_flags(TEMPLATE, ["num_strips=2,4"], None, None)
    assert (strips.base.num_strips, strips.base.patch_size) == (2, None)


def test_flags_without_factors_change_baseline_or_design_of_a_study():
    study = study_of_flags(TEMPLATE, [], "pooling=mean", "one-at-a-time")
    assert study.name.startswith("tiny~")
    assert (study.base.pooling, study.design, list(study.factors)) == ("mean", "one-at-a-time", ["pooling"])


def test_a_factor_takes_its_field_out_of_quick():
    study = study_of_flags(TEMPLATE, ["epochs=1,2"], None, None)
    assert study.quick == {"batch_size": 500}


@pytest.mark.parametrize(
    ("factors", "baseline", "said"),
    [
        (["pooling"], None, "--factor 'pooling': write NAME=LEVEL, for example --factor patch_size=4,7,14"),
        (["pooling="], None, "factor 'pooling' has no levels"),
        (["depth=1", "depth=2"], None, "--factor depth stands twice: give all its levels at once"),
        (["patch_size=7,14", "num_strips=2,4"], None, "the factors patch_size and num_strips set the same thing"),
        (["depth=1,2"], "depth=3", "depth=3 of the baseline of 'depth' is none of its levels 1, 2"),
        (["depth=1,2"], "pooling=cls", "--baseline pooling=... is no factor; factors: depth; --set fixes others"),
        (["depth=1,2"], "depth=1,depth=2", "--baseline depth stands twice: give it one level"),
        (["depth=1,2"], "depth", "--baseline 'depth': write NAME=LEVEL"),
        (["nosuch=1,2"], None, "no setting is called 'nosuch'"),
        (["pooling=cls,men"], None, "factor pooling of 'pooling': unknown pooling 'men'; did you mean 'mean'"),
    ],
)
def test_a_mistake_in_flags_is_one_line(factors, baseline, said):
    with pytest.raises((DesignError, ConfigError), match=re.escape(said)):
        study_of_flags(TEMPLATE, factors, baseline, None)


def test_levels_are_split_at_commas_outside_brackets():
    assert split_levels("4, (7, 14),[1,2]") == ["4", "(7, 14)", "[1,2]"]
    assert split_levels(" , ") == []


def test_two_arms_of_one_setup_are_one_arm_and_a_reason():
    base = tiny.MODEL.replace(chunking="tiles", patch_size=7)
    cells = expand(tiny.study({"patch_size": (None, 7)}, base=base), "cpu").cells
    assert [(cell.name, cell.reason) for cell in cells] == [("None", "the same as 7"), ("7", None)]


def test_levels_that_are_written_alike_are_refused():
    with pytest.raises(DesignError, match="two levels of 'tiny' are written alike: 14"):
        expand(dataclasses.replace(tiny.study({"patch_size": (14,)}), factors={"patch_size": (14, "14")}), "cpu")


def test_more_training_images_than_there_are_is_refused_before_anything_runs(small_mnist):
    plan = tiny.plan({}, recipe=tiny.RECIPE.replace(train_images=100_000))
    with pytest.raises(RecipeError, match="train_images=100000 exceeds the 512 training images"):
        check_data(plan, small_mnist)
