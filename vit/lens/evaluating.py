"""A model and images as every lens wants them: in evaluation mode, without gradients, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from vit.model import ViT

BATCH = 100
"""Images at a time; the attention of all blocks for so many is held at once."""


class NothingToSeeError(ValueError):
    """This model or these images have no such thing; the message says why."""


@contextmanager
def at_rest(model: ViT) -> Iterator[None]:
    """Evaluation mode for a while; afterwards every module's mode is what it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def prepared(model: ViT, images: Tensor) -> Tensor:
    """The images in the type and on the device of the model.

    Raises:
        ValueError: they are whole numbers, so nobody scaled them.
    """
    if not images.is_floating_point():
        raise ValueError(f"images are {images.dtype}: give floats, scaled as in training")
    return images.to(model.patch_embedding.weight)


def with_label(images: Tensor, labels: Tensor, label: int) -> Tensor:
    """The images of one label: ``(b, c, h, w)``, labels ``(b,)`` -> ``(b', c, h, w)``.

    Raises:
        NothingToSeeError: there is none.
    """
    chosen = images[(labels == label).to(images.device)]
    if not len(chosen):
        raise NothingToSeeError(f"no image of label {label}; there are {sorted(set(labels.tolist()))}")
    return chosen
