import dataclasses
import json

import pytest

import tiny
from studies.design import space
from studies.design.plan import Plan
from studies.design.settings import DesignError
from studies.design.space import Choice, Range
from studies.design.tuned import as_tuned, space_of, to_tune, tuned_pairs, with_tuned

FOUND = {"learning_rate": 0.02, "weight_decay": 0.1}


def test_every_arm_stands_there_as_declared_and_as_tuned():
    plan = tiny.plan({"pooling": ("cls", "mean")})
    both = with_tuned(as_tuned(plan), {"cls": FOUND, "mean": {**FOUND, "learning_rate": 0.03}})
    assert both.study == "tiny-tuned"
    assert [cell.name for cell in both.cells] == ["cls/fixed", "mean/fixed", "cls/tuned", "mean/tuned"]
    assert (both.baseline, both.factors["recipe"]) == ("cls/fixed", ["fixed", "tuned"])
    assert tuned_pairs(both) == {"cls/fixed": "cls/tuned", "mean/fixed": "mean/tuned"}
    fixed = {cell.name: cell.content_hash for cell in plan.cells}
    assert fixed["cls"] == both.cells[0].content_hash, "a fixed arm is the trial that it always was"
    assert both.cells[3].recipe.learning_rate == 0.03
    assert both.cells[3].recipe.weight_decay == 0.1
    assert Plan.from_json(json.loads(json.dumps(both.to_json()))) == both


def test_a_grid_of_rates_gets_tuned_as_one_more_level():
    plan = tiny.plan({"pooling": ("cls", "mean"), "learning_rate": (0.005, 0.01)})
    assert [cell.name for cell in to_tune(plan)] == ["cls/0.01", "mean/0.01"]
    both = with_tuned(plan, {"cls/0.01": FOUND, "mean/0.01": FOUND})
    assert [cell.name for cell in both.cells[4:]] == ["cls/tuned", "mean/tuned"]
    assert both.baseline == "cls/0.01"
    assert tuned_pairs(both) == {"cls/0.01": "cls/tuned", "mean/0.01": "mean/tuned"}


def test_the_baseline_is_tuned_first():
    plan = tiny.plan({"pooling": ("mean", "cls")})
    assert [cell.name for cell in to_tune(plan)] == ["cls", "mean"]


def test_an_arm_whose_declared_recipe_was_the_best_is_trained_once():
    plan = tiny.plan({"pooling": ("cls", "mean")})
    declared = {"learning_rate": 0.01, "weight_decay": tiny.RECIPE.weight_decay}
    both = with_tuned(plan, {"cls": declared, "mean": FOUND})
    assert both.cells[0].content_hash == both.cells[2].content_hash
    assert [trial.cell.name for trial in both.trials if trial.seed == 0] == ["cls/fixed", "mean/fixed", "mean/tuned"]


def test_an_arm_that_could_not_be_tuned_says_why():
    both = with_tuned(tiny.plan({"pooling": ("cls", "mean")}), {"cls": FOUND, "mean": "DivergedError: loss is nan"})
    assert both.cells[3].reason == "not one tuning trial was finished: DivergedError: loss is nan"


def test_what_a_study_declares_is_searched_beside_the_neighbourhood_of_its_recipe():
    plan = tiny.plan({"pooling": ("cls", "mean")}, search={"label_smoothing": Range(0.0, 0.1)})
    found = space_of(plan, plan.baseline_cell)
    assert list(found) == ["learning_rate", "weight_decay", "label_smoothing"]
    assert (found["learning_rate"].low, found["learning_rate"].high) == (0.002, 0.05)
    none = tiny.plan({}, recipe=tiny.RECIPE.replace(weight_decay=0.0))
    assert space_of(none, none.baseline_cell)["weight_decay"] == Range(0.0, 0.1)


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"learning": Range(0.0, 1.0)}, "no setting is called 'learning'"),
        ({"batch_size": Choice((100, 0))}, "'cls' cannot be tuned over batch_size=0: batch_size=0 must be a number"),
        ({"beta2": Range(0.5, 1.0)}, "cannot be tuned over beta2=1.0"),
    ],
)
def test_a_space_that_cannot_be_is_refused_before_anything_runs(search, said):
    def refused():
        plan = tiny.plan({"pooling": ("cls", "mean")}, search=search)
        space_of(plan, plan.baseline_cell)

    with pytest.raises(DesignError, match=said):
        refused()


@pytest.mark.parametrize("bounds", [(1.0, 1.0, False), (2, 1, False), (0.0, 1.0, True), (0.0, float("inf"), False)])
def test_an_empty_range_is_refused(bounds):
    with pytest.raises(DesignError):
        Range(*bounds)


@pytest.mark.parametrize("values", [(), (1, 1)])
def test_no_choice_is_refused(values):
    with pytest.raises(DesignError, match="each once"):
        Choice(values)


def test_another_space_has_another_digest_and_comes_back_from_json():
    spaces = [{"a": Range(0.1, 1.0)}, {"a": Range(0.1, 1.0, log=True)}, {"a": Choice((1, (2, 3), "x", None))}]
    assert len({space.digest(one) for one in spaces}) == 3
    for one in spaces:
        assert space.from_json(json.loads(json.dumps(space.to_json(one)))) == one


def test_a_plan_of_before_has_no_space():
    content = tiny.plan({"pooling": ("cls", "mean")}).to_json()
    del content["search"]
    assert Plan.from_json(content).search == {}
    assert dataclasses.asdict(Plan.from_json(content))["study"] == "tiny"
