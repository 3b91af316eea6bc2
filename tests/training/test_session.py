"""A training that is stopped and goes on in a fresh session ends with the bits of one that was not."""

import json

import pytest
import torch
from torch import Tensor

import studies.training.steps.choice
import studies.training.steps.graphed
from fitting import compute_of
from studies.data import DataSet, Split
from studies.training.compute import has_cpp_compiler
from studies.training.fit import train
from studies.training.packed import Packed
from studies.training.recipe import Recipe
from studies.training.single import Single
from studies.training.steps.compiled import compiled_program
from studies.training.steps.graphed import GraphedStep, make_capturable
from vit import ViTConfig

CONFIG = ViTConfig(patch_size=14, embed_dim=8, depth=1, num_heads=2, dropout=0.2, attention_dropout=0.2, drop_path=0.2)
RECIPE = Recipe(epochs=3, batch_size=32, max_translation=2, learning_rate=1e-2)
STEPS = 5
KINDS = {
    "single": [RECIPE],
    "single, muon": [RECIPE.replace(optimizer="muon")],
    "single, fused attention": [RECIPE.replace(attention="sdpa")],
    "single, bfloat16": [RECIPE.replace(dtype="bfloat16")],
    "pack": [RECIPE] * 3,
    "pack, bfloat16": [RECIPE.replace(dtype="bfloat16"), RECIPE.replace(dtype="bfloat16", learning_rate=3e-3)],
    "pack, own rates": [RECIPE, RECIPE.replace(learning_rate=3e-3), RECIPE.replace(replica=1)],
    "pack, muon": [RECIPE.replace(optimizer="muon"), RECIPE.replace(optimizer="muon", weight_decay=0.5)],
}


class Stop(Exception):
    """The process ends here."""


@pytest.fixture(scope="module")
def data(small_mnist) -> DataSet:
    """So many images that an epoch is 5 steps."""
    few = Split(small_mnist.train.images[:170], small_mnist.train.labels[:170])
    return DataSet("few", 10, few, small_mnist.val, small_mnist.test)


@pytest.fixture
def interpreted(monkeypatch):
    """Programs run as they are written, without the compiler."""
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    compiled_program.cache_clear()
    yield
    compiled_program.cache_clear()


def begin(recipes, data):
    """A fresh session."""
    packed = len(recipes) > 1
    compute = compute_of(CONFIG, recipes[0], packed=packed)
    if packed:
        return Packed(CONFIG, recipes, data, [7, 8, 9][: len(recipes)], compute, "cpu")
    return Single(CONFIG, recipes[0], data, 7, compute, "cpu")


def stopped(session, steps):
    """What a session holds after so many steps, in the middle of its training."""
    states, step = [], session.step

    def counted(*batch):
        step(*batch)
        if session.taken == steps:
            states.append(session.state_dict())
            raise Stop

    session.step = counted
    with pytest.raises(Stop):
        train(session)
    return states[0]


def stopped_after_epoch(session):
    states = []

    def stop():
        states.append(session.state_dict())
        raise Stop

    with pytest.raises(Stop):
        train(session, stop)
    return states[0]


def ended(session):
    """Everything that a training leaves but its seconds, which no two have in common."""
    train(session)
    state = session.state_dict()
    points = [[{**p, "seconds": 0} for p in of_model] for of_model in state["curves"].pop("points")]
    assert {len(of_model) for of_model in points} == {RECIPE.epochs}
    del state["curves"]["seconds"], state["compile_seconds"]
    return state | {"points": points}


def assert_equal(ours, theirs, where="state"):
    assert type(ours) is type(theirs), where
    if isinstance(ours, dict):
        assert list(ours) == list(theirs), where
        for key in ours:
            assert_equal(ours[key], theirs[key], f"{where}.{key}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), where
        for i, pair in enumerate(zip(ours, theirs, strict=True)):
            assert_equal(*pair, f"{where}.{i}")
    else:
        assert torch.equal(ours, theirs) if isinstance(ours, Tensor) else ours == theirs, where


def goes_on_alike(recipes, data, stop):
    expected = ended(begin(recipes, data))
    state = stop(begin(recipes, data))
    for _ in range(2):  # the second finds the state as the first did
        again = begin(recipes, data)
        again.load_state_dict(state)
        torch.rand(5)  # what others draw meanwhile
        assert_equal(ended(again), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_stopped_after_an_epoch_it_ends_alike(kind, data):
    goes_on_alike(KINDS[kind], data, stopped_after_epoch)


@pytest.mark.parametrize("steps", [1, STEPS + 2, 2 * STEPS])
@pytest.mark.parametrize("kind", ["single", "pack, own rates"])
def test_stopped_after_any_step_it_ends_alike(kind, steps, data):
    goes_on_alike(KINDS[kind], data, lambda session: stopped(session, steps))


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_program_that_is_stopped_ends_alike(optimizer, data):
    goes_on_alike([RECIPE.replace(compile=True, optimizer=optimizer)], data, stopped_after_epoch)


@pytest.mark.slow
@pytest.mark.skipif(not has_cpp_compiler(), reason="needs a C++ compiler and Python's headers")
def test_a_compiled_training_that_is_stopped_ends_alike(data):
    goes_on_alike([RECIPE.replace(compile=True)], data, stopped_after_epoch)
    goes_on_alike([RECIPE.replace(compile=True)], data, lambda session: stopped(session, STEPS + 2))


@pytest.mark.parametrize("kind", ["single", "pack"])
def test_what_a_session_starts_from_is_a_state_too(kind, data):
    fresh = begin(KINDS[kind], data)
    state, before = fresh.state_dict(), torch.get_rng_state()
    again = begin(KINDS[kind], data)
    again.load_state_dict(state)
    assert_equal(ended(again), ended(fresh))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kind", ["single", "pack, own rates"])
def test_a_state_is_tensors_in_memory_of_their_own_and_plain_data(kind, data):
    session = begin(KINDS[kind], data)
    state = stopped_after_epoch(session)
    tensors = []

    def plain(value):
        if isinstance(value, Tensor):
            tensors.append(value)
            return None
        if isinstance(value, dict):
            return {str(key): plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list) else value

    text = json.dumps(plain(state))
    assert '"learning_rate"' in text
    places = {t.untyped_storage().data_ptr() for t in tensors}
    assert len(places) == len(tensors)
    assert not places & {p.untyped_storage().data_ptr() for p in session.model.parameters()}


def test_seconds_of_a_stopped_training_add_up(data, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    state = stopped_after_epoch(begin([RECIPE], data))
    again = begin([RECIPE], data)
    again.load_state_dict(state | {"compile_seconds": 20.0})
    train(again)
    (result,) = again.results()
    assert [point.seconds for point in result.curve] == [1.0, 2.0, 3.0]
    assert result.compile_seconds == 20.0


def test_a_model_that_had_diverged_stays_so(data):
    recipes = [RECIPE, RECIPE.replace(learning_rate=1000.0)]
    expected = begin(recipes, data)
    train(expected)
    again = begin(recipes, data)
    again.load_state_dict(expected.state_dict())
    assert [str(result) for result in again.results()][1] == str(expected.results()[1])
    assert "training loss is" in str(again.results()[1])


def test_a_graph_is_recorded_anew_from_a_loaded_state(data, monkeypatch):
    captures = []

    class Recorded(GraphedStep):
        def _warm_up(self, images, labels):
            return self.step(images, labels)

    def make(step, model, optimizer, device):
        make_capturable(optimizer, device)
        return Recorded(step, model, optimizer)

    monkeypatch.setattr(studies.training.steps.choice, "graphed", make)
    monkeypatch.setattr(studies.training.steps.graphed, "capture", lambda step, *_: captures.append(step) or step)
    session = begin([RECIPE], data)
    state = stopped_after_epoch(session)
    assert len(captures) == 1
    session.load_state_dict(state)
    goes_on = ended(session)
    assert len(captures) == 2
    assert_equal(goes_on, ended(begin([RECIPE], data)))
