"""The step as a CUDA graph: what can be tested without a GPU, and, marked ``gpu``, what cannot."""

import warnings

import pytest
import torch

import studies.training.steps.choice
import studies.training.steps.graphed
from fitting import fit, fit_packed
from studies.training.recipe import Recipe
from studies.training.steps.eager import train_step
from studies.training.steps.graphed import WARM_UP, GraphedStep, graphed, make_capturable, set_rate
from studies.training.streams import initialised
from vit import PRESETS, ViTConfig

RECIPE = Recipe(epochs=2, batch_size=64, max_translation=2, learning_rate=1e-2, dtype="float32")
CONFIG = ViTConfig(patch_size=14, embed_dim=8, depth=1, num_heads=2)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: nox -s gpu")


class Recorded(GraphedStep):
    """The protocol without a GPU: calls in order, and a record that is the step itself on fixed tensors."""

    def __init__(self, *made):
        super().__init__(*made)
        self.log = []

    def _warm_up(self, images, labels):
        self.log.append("warm-up")
        return self.step(images, labels)


@pytest.fixture
def recorded(monkeypatch):
    """Every training goes through a ``Recorded`` step, as it goes through a graph on a GPU."""
    steps = []

    def capture(step, images, labels):
        assert all(p.grad is None for p in steps[-1].model.parameters())
        assert all(p.grad is None for group in steps[-1].optimizer.param_groups for p in group["params"])
        steps[-1].log.append("capture")
        images, labels = images.clone(), labels.clone()

        def replay(new_images, new_labels):
            steps[-1].log.append("replay")
            images.copy_(new_images), labels.copy_(new_labels)
            return step(images, labels)

        return replay

    def make(step, model, optimizer, device):
        make_capturable(optimizer, device)
        steps.append(Recorded(step, model, optimizer))
        return steps[-1]

    monkeypatch.setattr(studies.training.steps.graphed, "capture", capture)
    monkeypatch.setattr(studies.training.steps.choice, "graphed", make)
    return steps


def alike(ours, theirs, tolerance=1e-4):
    for name, parameter in theirs.model.named_parameters():
        if not name.endswith("qkv.bias"):  # the keys' part has no gradient but rounding
            difference = (ours.model.get_parameter(name) - parameter).abs()
            assert difference.mean() < tolerance, name  # the mean: Adam makes steps of a dead unit's rounding
    for ours_at, theirs_at in zip(ours.curve, theirs.curve, strict=True):
        assert ours_at.train_loss == pytest.approx(theirs_at.train_loss, abs=tolerance)
        assert ours_at.learning_rate == theirs_at.learning_rate


def test_a_graph_is_captured_once_after_the_warm_up_and_trains_the_same(recorded, small_mnist):
    with pytest.MonkeyPatch.context() as undone:
        undone.setattr(studies.training.steps.choice, "graphed", graphed)
        expected = fit(PRESETS["notebook"], RECIPE, small_mnist, 3)
    alike(fit(PRESETS["notebook"], RECIPE, small_mnist, 3), expected)
    (step,) = recorded
    assert step.log == ["warm-up"] * WARM_UP + ["capture"] + ["replay"] * (2 * 8 - WARM_UP)


def test_a_pack_with_rates_of_its_own_is_captured_too(recorded, small_mnist):
    recipes = [RECIPE, RECIPE.replace(learning_rate=3e-3)]
    packed = fit_packed(CONFIG, recipes, small_mnist, [3, 4])
    assert recorded[0].log.count("replay") == 2 * 8 - WARM_UP
    for result, recipe, seed in zip(packed, recipes, (3, 4), strict=True):
        alike(result, fit(CONFIG, recipe, small_mnist, seed))


def test_what_cannot_be_captured_trains_all_the_same_and_says_why(recorded, small_mnist, monkeypatch):
    def refuse(*_):
        raise RuntimeError("operation not permitted when stream is capturing")

    expected = fit(CONFIG, RECIPE, small_mnist, 0)
    monkeypatch.setattr(studies.training.steps.graphed, "capture", refuse)
    with pytest.warns(RuntimeWarning, match="no CUDA graph, every step runs as it is: RuntimeError: operation"):
        alike(fit(CONFIG, RECIPE, small_mnist, 0), expected)


def test_elsewhere_than_on_cuda_the_step_stays_as_it_is():
    model = initialised(CONFIG, 0)
    optimizer = RECIPE.build_optimizer(model.parameters())
    assert graphed(train_step, model, optimizer, "cpu") is train_step
    assert not optimizer.param_groups[0]["capturable"]


def test_a_rate_on_the_device_is_changed_in_place():
    optimizer = RECIPE.build_optimizer(initialised(CONFIG, 0).parameters())
    (plain, *_) = optimizer.param_groups
    set_rate(plain, 0.5)
    assert plain["lr"] == 0.5
    make_capturable(optimizer, "cpu")
    before = plain["lr"]
    set_rate(plain, 0.25)
    assert plain["lr"] is before
    assert before.item() == 0.25
    assert all(group["capturable"] for group in optimizer.param_groups)


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("attention", ["explicit", "sdpa"])
@pytest.mark.parametrize("packed", [False, True], ids=["one", "packed"])
def test_a_graph_equals_the_eager_step(packed, attention, small_mnist, monkeypatch):
    config, recipe = PRESETS["tiny"], RECIPE.replace(attention=attention)
    recipes, seeds = [recipe, recipe.replace(learning_rate=3e-3), recipe], [0, 1, 1]

    def train():
        if packed:
            return fit_packed(config, recipes, small_mnist, seeds, "cuda")
        return [fit(config, own, small_mnist, seed, "cuda") for own, seed in zip(recipes, seeds, strict=True)]

    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="no CUDA graph")
        in_graph = train()
    monkeypatch.setattr(studies.training.steps.choice, "graphed", lambda step, *_: step)
    for ours, theirs in zip(in_graph, train(), strict=True):
        alike(ours, theirs, 2e-3)


@pytest.mark.gpu
@needs_cuda
def test_dropout_differs_between_replays():
    model = initialised(PRESETS["notebook"], 0).cuda()
    optimizer = RECIPE.replace(learning_rate=0.0).build_optimizer(model.parameters())
    step = graphed(lambda x, y: train_step(model, optimizer, x, y), model, optimizer, "cuda")
    images, labels = torch.randn(64, 1, 28, 28, device="cuda"), torch.zeros(64, dtype=torch.int64, device="cuda")
    losses = [step(images, labels).item() for _ in range(WARM_UP + 10)]
    assert step.replay is not None
    assert len(set(losses)) == len(losses)


@pytest.mark.gpu
@needs_cuda
def test_a_pack_on_a_gpu_becomes_what_its_models_become_alone(small_mnist):
    config = PRESETS["notebook"].replace(dropout=0.0, attention_dropout=0.0)
    for seed, packed in enumerate(fit_packed(config, [RECIPE] * 4, small_mnist, range(4), "cuda")):
        alike(packed, fit(config, RECIPE, small_mnist, seed, "cuda"), 2e-3)


@pytest.mark.gpu
@needs_cuda
def test_a_pack_on_a_gpu_repeats(small_mnist):
    first, second = (fit_packed(PRESETS["notebook"], [RECIPE] * 2, small_mnist, [0, 1], "cuda") for _ in range(2))
    for ours, theirs in zip(first, second, strict=True):
        alike(ours, theirs)
