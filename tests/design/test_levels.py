import math

import pytest

import tiny
from studies.design.levels import levels_of, plain, shown
from studies.design.plan import Plan
from studies.design.settings import DesignError, apply
from studies.design.sizes import check_memory
from studies.training.recipe import Recipe, RecipeError
from studies.trial.setup import Setup

LONG = 10**5000


class Nameless:
    def __repr__(self):
        raise RuntimeError("no name")


@pytest.mark.parametrize("value", [None, True, 3, 2.5, "cls", (7, 14), ((1, 2), "x"), 2**63 - 1])
def test_plain_values_stay_what_they_are(value):
    assert plain("x", value) == value


def test_minus_zero_is_zero():
    assert math.copysign(1, plain("x", -0.0)) == 1
    _, recipe = apply(tiny.MODEL, tiny.RECIPE, {"warmup": -0.0})
    assert (
        Setup(tiny.MODEL, recipe, "mnist").content_hash
        == Setup(tiny.MODEL, tiny.RECIPE.replace(warmup=0.0), "mnist").content_hash
    )


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ([16], "x=[16] is a list: give a number"),
        ({}, "is a dict"),
        (math.nan, "x=nan is no number to compute with"),
        (-math.inf, "x=-inf"),
        (LONG, "x is a number of 16610 bits"),
        ((1, LONG), "x is a number of 16610 bits"),
        ("a" * 201, "at most 200 letters"),
        ("a\x1b[31m", "all of them printable"),
        (b"x", "is a bytes"),
        (Nameless(), "x=a Nameless is a Nameless"),
        ((1, [2]), "is a list"),
    ],
    ids=lambda value: shown(value, 20),
)
def test_what_is_not_plain_is_refused_in_a_line(value, part):
    with pytest.raises(DesignError) as refused:
        plain("x", value)
    assert part in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("factors", "part"),
    [
        ({"depth": ()}, "factor 'depth' has no levels"),
        ({"depth": 2}, "factor 'depth' has levels 2: give several"),
        ({"pooling": "cls"}, "factor 'pooling' has levels 'cls': give several"),
        ({"mlp_ratio": (2, 2.0)}, "equal levels 2 and 2.0"),
        ({"mlp_ratio": (1, 2, 1)}, "equal levels 1 and 1"),
        ({"warmup": (0.0, -0.0)}, "equal levels 0.0 and 0.0"),
        ({"flip": (True, 1)}, "equal levels True and 1"),
        ({"patch_size": ([7, 7], 14)}, "is a list"),
    ],
    ids=str,
)
def test_levels_that_are_not_told_apart_are_refused(factors, part):
    with pytest.raises(DesignError) as refused:
        levels_of(factors)
    assert part in str(refused.value)
    with pytest.raises(DesignError):
        tiny.plan(factors)


def test_a_cross_that_never_ends_is_refused_at_once():
    with pytest.raises(DesignError, match=r"crosses to 1,000,000 arms: at most 10,000"):
        tiny.plan({"epochs": range(1, 1001), "replica": range(1000)})


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"name": "../up"}, "study name '../up'"),
        ({"name": ""}, "study name ''"),
        ({"name": "a\nb"}, "study name"),
        ({"name": 3}, "study name 3"),
        ({"name": "a" * 201}, "study name"),
        ({"seeds": 0}, "seeds=0"),
        ({"seeds": True}, "seeds=True"),
        ({"seeds": 10**9}, "seeds=1000000000"),
        ({"seeds": LONG}, "seeds=a int"),
        ({"quick_seeds": 2.0}, "quick_seeds=2.0"),
        ({"quick": [1]}, "quick=[1] of 'tiny' must be a Mapping"),
        ({"factors": [("depth", (1, 2))]}, "of 'tiny' must be a Mapping"),
    ],
    ids=lambda value: shown(value, 30),
)
def test_a_declaration_that_cannot_be_is_refused_when_it_is_made(changes, part):
    factors = changes.pop("factors", {})
    with pytest.raises(DesignError) as refused:
        tiny.study(factors, **changes)
    assert part in str(refused.value)


@pytest.mark.parametrize("field", ["optimizer", "schedule", "attention", "dtype", "compile"])
@pytest.mark.parametrize("value", [[], {}, None, 3, "nope"], ids=str)
def test_a_recipe_refuses_names_that_are_none(field, value):
    with pytest.raises(RecipeError, match=field if not isinstance(value, str) else "nope"):
        Recipe(**{field: value})


GOOD = tiny.plan({"pooling": ("cls", "mean")}).to_json()


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "plan",
        3,
        {},
        *({name: value for name, value in GOOD.items() if name != left} for left in ("cells", "seeds", "factors")),
        {**GOOD, "cells": None},
        {**GOOD, "cells": [None]},
        {**GOOD, "cells": [{}]},
        {**GOOD, "cells": []},
        {**GOOD, "cells": GOOD["cells"] * 2},
        {**GOOD, "cells": [{**GOOD["cells"][0], "config": {"depth": [1]}}]},
        {**GOOD, "cells": [{**GOOD["cells"][0], "recipe": {"nosuch": 1}}]},
        {**GOOD, "cells": [{**GOOD["cells"][0], "levels": None}]},
        {**GOOD, "cells": [{**GOOD["cells"][0], "levels": {"pooling": {"a": 1}}}]},
        {**GOOD, "factors": {"pooling": [{}]}},
        {**GOOD, "factors": [1]},
        {**GOOD, "seeds": 3},
        {**GOOD, "seeds": [1, 1]},
        {**GOOD, "seeds": ["a"]},
        {**GOOD, "baseline": "nope"},
        {**GOOD, "baseline": ["cls"]},
        {**GOOD, "study": None},
        {**GOOD, "compares": {"margin": -1}},
        {**GOOD, "compares": {"margin": "x"}},
        {**GOOD, "compares": 3},
        {**GOOD, "from_the_future": 1},
    ],
    ids=lambda value: shown(value, 60),
)
def test_an_odd_plan_file_is_refused_in_a_line(content):
    with pytest.raises(DesignError, match=r"this is no plan of a study that this version reads: .") as refused:
        Plan.from_json(content)
    assert "\n" not in str(refused.value)


def test_what_no_machine_holds_is_refused_before_it_is_allocated():
    setup = Setup(tiny.MODEL.replace(embed_dim=2**15, depth=64), tiny.RECIPE, "mnist")
    with pytest.raises(DesignError, match=r"'wide' needs at least [\d,]+ GiB to train, and cpu has"):
        check_memory("wide", setup, "cpu")
    check_memory("tiny", Setup(tiny.MODEL, tiny.RECIPE, "mnist"), "cpu")
