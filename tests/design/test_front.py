import pytest

import tiny
from studies.design.front import Admissible, Limits, mib_of, number_of, with_front
from studies.design.settings import DesignError
from studies.design.space import Choice, Range
from vit import ViTConfig

SPACE = {
    "embed_dim": Choice((6, 8)),
    "num_heads": Choice((1, 2, 3, 4)),
    "learning_rate": Range(1e-3, 1e-1, log=True),
}


def plan(space):
    return tiny.plan({}, search=space, objectives=True)


def test_only_choices_that_leave_a_possible_model_are_offered():
    found = Admissible(plan(SPACE))
    assert found.choices("embed_dim", SPACE["embed_dim"], {}) == (6, 8)
    assert found.choices("num_heads", SPACE["num_heads"], {"embed_dim": 6}) == (1, 2, 3)
    assert found.choices("num_heads", SPACE["num_heads"], {"embed_dim": 8}) == (1, 2, 4)


def test_a_choice_that_only_a_later_one_could_save_is_seen_ahead():
    space = {"num_heads": Choice((3, 4)), "embed_dim": Choice((8, 16))}
    assert Admissible(plan(space)).choices("num_heads", space["num_heads"], {}) == (4,)


def test_a_space_without_one_possible_model_is_refused():
    with pytest.raises(DesignError, match="no value of 'num_heads'"):
        Admissible(plan({"num_heads": Choice((3, 5))}))
    with pytest.raises(DesignError, match="no setting is called 'heads'"):
        Admissible(plan({"heads": Choice((3, 5))}))


def test_what_was_found_becomes_the_arms():
    made = with_front(plan(SPACE), {"trial-7": {"embed_dim": 6, "num_heads": 3, "learning_rate": 0.02}})
    assert [cell.name for cell in made.cells] == ["baseline", "trial-7"]
    assert made.cells[1].config == ViTConfig(**{**vars(tiny.MODEL), "embed_dim": 6, "num_heads": 3})
    assert made.cells[1].recipe.learning_rate == 0.02
    assert type(made).from_json(made.to_json()) == made


def test_how_far_limits_are_exceeded():
    limits = Limits(params=100, throughput=1000)
    assert limits.excess({"params": 150}) == {"params": 0.5}
    assert limits.excess({"params": 50, "infer_images_per_second": 500, "gpu_memory_mib": 9}) == {
        "params": -0.5,
        "throughput": 0.5,
    }


@pytest.mark.parametrize(("text", "value"), [("50k", 50_000), ("1.5M", 1.5e6), ("20000", 20_000)])
def test_numbers(text, value):
    assert number_of(text, "--max-params") == value


@pytest.mark.parametrize("text", ["", "many", "-5", "0", "50kk", "5 k b"])
def test_what_is_no_number(text):
    with pytest.raises(DesignError, match=r"--max-params .*: write a number such as"):
        number_of(text, "--max-params")


def test_sizes():
    assert (mib_of("200MiB", "--max-memory"), mib_of("1.5GiB", "--max-memory")) == (200, 1536)
    with pytest.raises(DesignError, match="a size such as 200MiB"):
        mib_of("200MB", "--max-memory")
