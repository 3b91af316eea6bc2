"""What every registered component promises; one that registers itself is tested by itself."""

import itertools

import pytest

from vit import COMPONENTS, ViTConfig
from vit.contract import CONTRACT, combinations, covering, sentence_of
from vit.contract.covering import FURTHER
from vit.contract.promises import built

COMBINATIONS = combinations()


def name(config: ViTConfig) -> str:
    return "-".join(str(getattr(config, field)) for field in (*COMPONENTS, *FURTHER))


@pytest.mark.parametrize("config", COMBINATIONS, ids=name)
@pytest.mark.parametrize("promise", CONTRACT)
def test_a_promise_is_kept(promise, config):
    CONTRACT[promise](config)


def test_every_two_components_meet_above():
    for (one, first), (two, second) in itertools.combinations(COMPONENTS.items(), 2):
        for a, b in itertools.product(first, second):
            assert any((getattr(c, one), getattr(c, two)) == (a, b) for c in COMBINATIONS), (a, b)


def test_every_component_meets_every_further_setting_that_it_can():
    for (field, registry), (setting, levels) in itertools.product(COMPONENTS.items(), FURTHER.items()):
        for component, level in itertools.product(registry, levels):
            if setting == "num_class_tokens" and level > 1 and field == "pooling" and component != "cls":
                continue
            met = [c for c in COMBINATIONS if (getattr(c, field), getattr(c, setting)) == (component, level)]
            assert met, (component, setting, level)


def test_no_combination_of_the_built_in_ones_is_refused():
    for chosen in itertools.product(*COMPONENTS.values()):
        ViTConfig(**dict(zip(COMPONENTS, chosen, strict=True)), patch_size=4)


def test_a_cover_has_every_pair_and_no_more_rows_than_it_needs():
    levels = {"a": "xyz", "b": "pq", "c": [0, 1, 2]}
    rows = covering(levels)
    for one, two in itertools.combinations(levels, 2):
        assert {(row[one], row[two]) for row in rows} == set(itertools.product(levels[one], levels[two]))
    assert 9 <= len(rows) <= 11
    assert covering({"a": "xy"}) == [{"a": "x"}, {"a": "y"}]


@pytest.mark.parametrize(
    ("field", "component"), [(field, name) for field, registry in COMPONENTS.items() for name in registry]
)
def test_the_first_docstring_line_is_a_sentence(field, component):
    sentence_of(COMPONENTS[field][component])


class Undocumented:
    pass


class Short:
    """short"""


@pytest.mark.parametrize("component", [Undocumented, Short])
def test_a_component_without_a_sentence_is_refused_by_name(component):
    with pytest.raises(AssertionError, match=component.__name__):
        sentence_of(component)


def test_building_for_a_check_leaves_the_global_state():
    import torch

    before = torch.get_rng_state()
    built(COMBINATIONS[0])
    assert torch.equal(torch.get_rng_state(), before)
