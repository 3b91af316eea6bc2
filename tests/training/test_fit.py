import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

import studies.training.score
import studies.training.single
import studies.training.steps.choice
from fitting import fit
from studies.data import DataSet, Split
from studies.training.batches import Preparation
from studies.training.curves import DivergedError
from studies.training.recipe import Recipe, RecipeError
from studies.training.score import evaluate
from studies.training.steps.eager import train_step
from studies.training.streams import initialised
from vit import ViTConfig

CONFIG = ViTConfig(patch_size=7, embed_dim=16, depth=1, num_heads=2, dropout=0.1, attention_dropout=0.1)
RECIPE = Recipe(epochs=2, batch_size=128, max_translation=2, learning_rate=1e-2)


def weights(config=CONFIG, recipe=RECIPE, seed=0, *, data: DataSet) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in fit(config, recipe, data, seed).model.parameters()])


def test_one_seed_gives_equal_bits_whatever_else_draws(small_mnist):
    torch.manual_seed(1)
    first = weights(data=small_mnist)
    torch.manual_seed(2)
    torch.rand(1000)
    assert torch.equal(weights(data=small_mnist), first)


def test_trials_do_not_see_which_ran_before(small_mnist):
    alone = weights(seed=1, data=small_mnist)
    weights(CONFIG.replace(chunking="horizontal", depth=2), seed=0, data=small_mnist)
    assert torch.equal(weights(seed=1, data=small_mnist), alone)


def test_another_seed_gives_other_weights(small_mnist):
    assert not torch.equal(weights(seed=0, data=small_mnist), weights(seed=1, data=small_mnist))


def test_fit_leaves_the_global_state_and_the_data(small_mnist):
    before, images = torch.get_rng_state(), small_mnist.train.images.clone()
    fit(CONFIG, RECIPE, small_mnist, 0)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(small_mnist.train.images, images)


def test_a_diverged_training_leaves_the_global_state(small_mnist, monkeypatch):
    before = torch.get_rng_state()
    start_from_infinity(monkeypatch)
    with pytest.raises(DivergedError):
        fit(CONFIG, RECIPE, small_mnist, 0)
    assert torch.equal(torch.get_rng_state(), before)


def seen_batches(monkeypatch, config, recipe, data, seed=0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Every batch of a training: index and prepared images."""
    seen, gather = [], Preparation.gather

    def record(self, index, offsets):
        images, labels = gather(self, index, offsets)
        seen.append((index, images))
        return images, labels

    with monkeypatch.context() as patched:
        patched.setattr(Preparation, "gather", record)
        fit(config, recipe, data, seed)
    return seen


@pytest.mark.parametrize(
    "changes",
    [{"chunking": "vertical"}, {"positional": "none"}, {"pooling": "map"}, {"dropout": 0.0}, {"depth": 2}],
    ids=str,
)
def test_arms_share_order_and_augmentation(monkeypatch, small_mnist, changes):
    baseline = seen_batches(monkeypatch, CONFIG, RECIPE, small_mnist)
    arm = seen_batches(monkeypatch, CONFIG.replace(**changes), RECIPE, small_mnist)
    for (index, images), (arm_index, arm_images) in zip(baseline, arm, strict=True):
        assert torch.equal(index, arm_index)
        assert torch.equal(images, arm_images)


def test_augmentation_does_not_shift_the_order(monkeypatch, small_mnist):
    shifted = seen_batches(monkeypatch, CONFIG, RECIPE, small_mnist)
    still = seen_batches(monkeypatch, CONFIG, RECIPE.replace(max_translation=0), small_mnist)
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(shifted, still, strict=True))


def test_an_epoch_sees_every_image_at_most_once_and_epochs_differ(monkeypatch, small_mnist):
    seen = seen_batches(monkeypatch, CONFIG, RECIPE.replace(batch_size=100), small_mnist)
    epochs = [torch.cat([index for index, _ in seen[i : i + 5]]) for i in (0, 5)]
    assert len(seen) == 2 * 5
    assert [len(set(epoch.tolist())) for epoch in epochs] == [500, 500]
    assert not torch.equal(*epochs)


def test_the_curve_has_one_point_an_epoch_and_tells_it_at_once(small_mnist):
    told = []
    result = fit(CONFIG, RECIPE, small_mnist, 0, on_epoch=told.append)
    assert told == result.curve
    assert [point.epoch for point in result.curve] == [1, 2]
    assert result.curve[-1].learning_rate == RECIPE.learning_rate_at(2 * 4 - 1, 2 * 4)
    score = evaluate(result.model, small_mnist.val, Preparation(RECIPE, small_mnist))
    assert (result.curve[-1].val_loss, result.curve[-1].val_accuracy) == (score.loss, score.accuracy)


def test_training_learns(small_mnist):
    config = ViTConfig(patch_size=7, embed_dim=32, depth=1, num_heads=2)
    result = fit(config, Recipe(epochs=10, batch_size=32, learning_rate=1e-2), small_mnist, 0)
    assert result.curve[-1].train_loss < result.curve[0].train_loss / 2
    assert result.curve[-1].val_accuracy > 0.4


def test_the_rate_of_every_step_is_the_recipes(monkeypatch, small_mnist):
    rates = []

    def record(model, optimizer, *rest):
        rates.extend({group["lr"] for group in optimizer.param_groups})
        return train_step(model, optimizer, *rest)

    monkeypatch.setattr(studies.training.steps.choice, "train_step", record)
    fit(CONFIG, RECIPE, small_mnist, 0)
    assert rates == [RECIPE.learning_rate_at(step, 8) for step in range(8)]


def test_a_step_smooths_labels_and_returns_the_loss_before_it():
    model = initialised(CONFIG.replace(dropout=0.0, attention_dropout=0.0), 0)
    images, labels = torch.randn(4, 1, 28, 28), torch.arange(4)
    logs = model(images).log_softmax(dim=1).detach()
    expected = -(0.8 * logs[range(4), labels] + 0.2 * logs.mean(dim=1)).mean()
    loss = train_step(model, torch.optim.SGD(model.parameters(), lr=0.1), images, labels, 0.2)
    torch.testing.assert_close(loss, expected)
    assert not loss.requires_grad
    assert F.cross_entropy(model(images), labels, label_smoothing=0.2) < loss


def start_from_infinity(monkeypatch):
    def broken(config, seed, init):
        model = initialised(config, seed, init)
        torch.nn.init.constant_(model.head.weight, math.inf)
        return model

    monkeypatch.setattr(studies.training.single, "initialised", broken)


def test_a_loss_that_is_no_number_says_when(monkeypatch, small_mnist):
    start_from_infinity(monkeypatch)
    with pytest.raises(DivergedError, match="training loss is nan in epoch 1 of 2"):
        fit(CONFIG, RECIPE, small_mnist, 0)


def test_a_batch_larger_than_the_data_is_refused(small_mnist):
    with pytest.raises(RecipeError, match="batch_size=513 exceeds the 512"):
        fit(CONFIG, RECIPE.replace(batch_size=513), small_mnist, 0)


def one_image_set(image: torch.Tensor) -> DataSet:
    split = Split(image[None], torch.zeros(1, dtype=torch.int64))
    return DataSet("one", 10, split, split, split)


def shifted(image: torch.Tensor, dy: int, dx: int) -> torch.Tensor:
    """``(c, h, w)`` moved down and right, zeros moved in."""
    out = torch.zeros_like(image)
    _, h, w = image.shape
    if abs(dy) < h and abs(dx) < w:
        down, right = (slice(max(d, 0), n + min(d, 0)) for d, n in ((dy, h), (dx, w)))
        up, left = (slice(max(-d, 0), n + min(-d, 0)) for d, n in ((dy, h), (dx, w)))
        out[:, down, right] = image[:, up, left]
    return out


@given(st.integers(0, 3), st.sampled_from([(1, 6, 6), (3, 5, 7), (2, 2, 3)]), st.integers(0, 9))
def test_a_translated_image_is_one_of_the_shifts_within_reach(reach, shape, seed):
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(1, 256, shape, generator=generator, dtype=torch.uint8)
    prepare = Preparation(Recipe(max_translation=reach, normalize=False), one_image_set(image))
    batch, _ = prepare.batch(torch.zeros(50, dtype=torch.int64), generator)
    steps = range(-reach, reach + 1)
    legal = torch.stack([prepare.floats(shifted(image, dy, dx)[None])[0] for dy in steps for dx in steps])
    assert batch.shape == (50, *shape)
    assert (batch[:, None] == legal[None]).flatten(2).all(dim=-1).any(dim=1).all()


def test_every_shift_within_reach_occurs_in_both_directions():
    image = torch.zeros(1, 9, 9, dtype=torch.uint8)
    image[0, 4, 4] = 255
    prepare = Preparation(Recipe(max_translation=2, normalize=False), one_image_set(image))
    batch, _ = prepare.batch(torch.zeros(1000, dtype=torch.int64), torch.Generator().manual_seed(0))
    _, _, y, x = batch.nonzero(as_tuple=True)
    found = set(zip((y - 4).tolist(), (x - 4).tolist(), strict=True))
    assert found == {(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)}


@given(st.integers(0, 2), st.integers(0, 9))
def test_a_mirrored_image_is_the_image_or_its_mirror_image_shifted(reach, seed):
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(1, 256, (3, 5, 6), generator=generator, dtype=torch.uint8)
    prepare = Preparation(Recipe(max_translation=reach, flip=True, normalize=False), one_image_set(image))
    batch, _ = prepare.batch(torch.zeros(50, dtype=torch.int64), generator)
    steps = range(-reach, reach + 1)
    legal = [
        prepare.floats(shifted(own, dy, dx)[None])[0] for dy in steps for dx in steps for own in (image, image.flip(2))
    ]
    assert (batch[:, None] == torch.stack(legal)[None]).flatten(2).all(dim=-1).any(dim=1).all()


@pytest.mark.parametrize("reach", [0, 3])
def test_half_of_the_images_are_mirrored_whatever_their_shift(reach):
    image = torch.arange(12 * 12, dtype=torch.uint8).view(1, 12, 12)
    prepare = Preparation(Recipe(max_translation=reach, flip=True, normalize=False), one_image_set(image))
    moves = prepare.draw(torch.Generator().manual_seed(0), 4000)
    images = prepare.moved(image.expand(4000, 1, 12, 12), moves)
    mirrored = images[:, 0, 6, 5] > images[:, 0, 6, 6]
    assert 0.47 < mirrored.float().mean() < 0.53
    for shift in moves[:2].unique():
        assert 0.3 < mirrored[moves[1] == shift].float().mean() < 0.7


def test_no_translation_leaves_images_and_draws_nothing(small_mnist):
    prepare = Preparation(Recipe(max_translation=0, normalize=False), small_mnist)
    generator, index = torch.Generator().manual_seed(0), torch.tensor([5, 2, 400])
    before = generator.get_state()
    images, labels = prepare.batch(index, generator)
    torch.testing.assert_close(images, small_mnist.train.images[index].float() / 255)
    assert torch.equal(labels, small_mnist.train.labels[index])
    assert torch.equal(generator.get_state(), before)


def test_translated_images_keep_their_labels(small_mnist):
    prepare, index = Preparation(RECIPE, small_mnist), torch.tensor([5, 2, 400])
    assert torch.equal(prepare.batch(index, torch.Generator())[1], small_mnist.train.labels[index])


def test_normalised_training_images_have_mean_zero_and_deviation_one(small_mnist):
    images = Preparation(Recipe(), small_mnist).floats(small_mnist.train.images)
    assert images.mean().item() == pytest.approx(0.0, abs=1e-4)
    assert images.std().item() == pytest.approx(1.0, abs=1e-4)


def test_colour_channels_are_normalised_each_by_itself():
    images = torch.randint(0, 256, (20, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[:, 1] //= 4
    split = Split(images, torch.zeros(20, dtype=torch.int64))
    floats = Preparation(Recipe(), DataSet("colour", 2, split, split, split)).floats(images)
    torch.testing.assert_close(floats.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(floats.std(dim=(0, 2, 3), correction=0), torch.ones(3), atol=1e-3, rtol=0)


def test_validation_is_scaled_by_training_statistics_only(small_mnist):
    black = dataclasses.replace(small_mnist, val=Split(small_mnist.val.images * 0, small_mnist.val.labels))
    one, other = (Preparation(Recipe(), data).floats(small_mnist.test.images) for data in (small_mnist, black))
    assert torch.equal(one, other)


def test_evaluate_equals_a_computation_by_hand(small_mnist):
    model, prepare = initialised(CONFIG, 0), Preparation(RECIPE, small_mnist)
    images = small_mnist.train.images.repeat(3, 1, 1, 1)  # more than one batch of evaluation
    split = Split(images, small_mnist.train.labels.repeat(3))
    assert len(split) > studies.training.score.EVAL_BATCH
    score = evaluate(model, split, prepare)
    with torch.no_grad():
        logits = model.eval()(prepare.floats(images))
    right = logits.argmax(dim=1) == split.labels
    assert score.accuracy == pytest.approx(right.double().mean().item())
    assert torch.equal(score.correct, right)
    picked = -logits.log_softmax(dim=1)[range(len(split)), split.labels]
    assert score.loss == pytest.approx(picked.mean().item(), rel=1e-5)


def test_evaluate_leaves_the_model_training(small_mnist):
    model = initialised(CONFIG, 0)
    evaluate(model, small_mnist.val, Preparation(RECIPE, small_mnist))
    assert all(module.training for module in model.modules())


def test_evaluate_draws_nothing_and_repeats(small_mnist):
    model, prepare = initialised(CONFIG, 0), Preparation(RECIPE, small_mnist)
    before = torch.get_rng_state()
    first, second = (evaluate(model, small_mnist.val, prepare) for _ in range(2))
    assert first.loss == second.loss
    assert torch.equal(torch.get_rng_state(), before)


def test_replicas_differ_from_each_other_and_from_nothing_else(small_mnist):
    losses = [
        fit(CONFIG, RECIPE.replace(replica=replica), small_mnist, 0).curve[-1].train_loss for replica in (0, 1, 2, 1)
    ]
    assert len(set(losses)) == 3
    assert losses[1] == losses[3]
