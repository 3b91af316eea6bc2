"""A study declared on MNIST, asked of other images: what follows from their size, channels, classes and number."""

from __future__ import annotations

import dataclasses

from studies.data import DataSet
from studies.design.study import Study
from studies.training.recipe import Recipe
from vit import ViTConfig
from vit.chunking import default_patch_size

DECLARED_FOR = 50_000
"""Training images of MNIST, for which the catalog's recipes were found."""
MOST_EPOCHS = 25
"""Of a recipe stretched to fewer images. On subsets of CIFAR-10 in patches of 8, one seed each, the preset `tiny` had
validation accuracies of 42.0, 45.1 and 43.8 % after 7, 14 and 28 passes over 7,000 images, 36.3 and 33.8 % after 25 and
50 over 2,000, 30.2, 29.8 and 31.0 % after 25, 50 and 100 over 1,000: as many images as on MNIST, but no more passes."""
LEAST_STEPS = 8
"""Of an epoch: a batch is made smaller rather than leave most of a small data set out of every epoch."""


def on_data(study: Study, data: DataSet) -> Study:
    """The study on these images; on those that it was declared for, itself.

    A model sees as many patches as declared, and a training about as many images, so that a study costs as much or
    less. Half the patch size (14 passes over those 7,000 images) bought 2 points for five times the seconds.

    Raises:
        ConfigError: the baseline cannot cut images of this shape.
    """
    if data.name == study.dataset:
        return study
    base, recipe = model_for(study.base, data), recipe_for(study.recipe, len(data.train))
    for name in study.factors:  # what is compared stays as declared
        if hasattr(recipe, name):
            recipe = recipe.replace(**{name: getattr(study.recipe, name)})
        elif name == "patch_size":
            base = base.replace(patch_size=study.base.patch_size)
    return dataclasses.replace(study, dataset=data.name, base=base, recipe=recipe)


def model_for(base: ViTConfig, data: DataSet) -> ViTConfig:
    """The model with the images' shape and classes, and patches of the same share of the shorter side.

    Raises:
        ConfigError: no such patches, nor others of ``default_patch_size``, cut these images.
    """
    channels, h, w = data.image_shape
    changes = {"image_size": h if h == w else (h, w), "in_channels": channels, "num_classes": data.num_classes}
    return base.replace(**changes, patch_size=_patch_size(base, (h, w)))


def recipe_for(recipe: Recipe, num_images: int) -> Recipe:
    """The recipe with passes that show about as many images as it shows of MNIST, as far as they help."""
    declared = recipe.train_images or DECLARED_FOR
    used = min(recipe.train_images or num_images, num_images)
    wanted = max(1, round(recipe.epochs * declared / used))
    epochs = min(wanted, max(MOST_EPOCHS, recipe.epochs))
    batch_size = recipe.batch_size
    while batch_size > 1 and used // batch_size < LEAST_STEPS:
        batch_size //= 2
    return recipe.replace(epochs=epochs, batch_size=batch_size, train_images=used if recipe.train_images else 0)


def _patch_size(base: ViTConfig, shape: tuple[int, int]) -> int | tuple[int, int] | None:
    if base.patch_size is None:
        return None
    if isinstance(base.patch_size, tuple):
        scaled = [p * new / old for p, new, old in zip(base.patch_size, shape, base.image_shape, strict=True)]
        return (round(scaled[0]), round(scaled[1])) if all(size.is_integer() for size in scaled) else None
    size = base.patch_size * min(shape) / min(base.image_shape)
    fits = size.is_integer() and all(side % size == 0 for side in shape)
    return int(size) if fits else default_patch_size(shape)
