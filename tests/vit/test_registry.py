import pytest

from vit import CHUNKINGS, POOLINGS, POSITIONALS, Registry, UnknownNameError


@pytest.fixture
def fruits() -> Registry[int]:
    registry: Registry[int] = Registry("fruit")
    registry["apple"], registry["banana"] = 1, 2
    return registry


def test_register_stores_and_returns_the_component():
    registry = Registry("fruit")

    @registry.register("pear")
    class Pear:
        pass

    assert registry["pear"] is Pear


def test_names_keep_the_order_of_registration(fruits):
    fruits.register("aardberry")(3)
    assert list(fruits) == ["apple", "banana", "aardberry"]


def test_a_taken_name_is_refused_and_kept(fruits):
    with pytest.raises(ValueError, match="fruit 'apple' is registered already"):
        fruits.register("apple")
    assert fruits["apple"] == 1


def test_an_unknown_name_lists_kind_choices_and_the_nearest(fruits):
    with pytest.raises(UnknownNameError) as caught:
        fruits["aple"]
    assert str(caught.value) == "unknown fruit 'aple'; did you mean 'apple'?; choices: apple, banana"


def test_no_hint_where_nothing_is_near(fruits):
    with pytest.raises(UnknownNameError) as caught:
        fruits["xyz"]
    assert str(caught.value) == "unknown fruit 'xyz'; choices: apple, banana"


def test_an_unknown_name_is_a_key_error_and_stores_nothing(fruits):
    with pytest.raises(KeyError):
        fruits["kiwi"]
    assert "kiwi" not in fruits
    assert fruits.get("kiwi") is None


def test_the_components_that_the_ablation_promises_are_registered():
    assert {"horizontal", "vertical", "tiles"} <= set(CHUNKINGS)
    assert {"none", "learned", "sinusoidal", "sincos2d", "rope2d", "relative"} <= set(POSITIONALS)
    assert {"cls", "mean", "map"} <= set(POOLINGS)
