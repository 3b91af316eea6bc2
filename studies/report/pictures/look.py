"""A model, the images it is shown, and the registry of pictures that can be drawn of the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from studies.report.pictures.canvas import Pixels, picture
from vit import Registry, ViT, ViTConfig
from vit.lens import predict


@dataclass(frozen=True)
class Look:
    """What is looked at.

    Args:
        model: a trained ViT; nothing here changes it.
        images: floats ``(b, c, h, w)``, prepared as in training.
        labels: ``(b,)``.
        names: of the classes; empty for their numbers.
        image: index of the one image that single-image pictures show.
        wanted: labels to compare; those without an image are left out. Empty: the first three that have one.
        scales: colour scales by what they show, shared by models whose pictures stand side by side.
    """

    model: ViT
    images: Tensor
    labels: Tensor
    names: Sequence[str] = ()
    image: int = 0
    wanted: Sequence[int] = ()
    scales: dict[str, Normalize] | None = None

    def __post_init__(self) -> None:
        if not len(self.images) or len(self.images) != len(self.labels):
            raise ValueError(f"{len(self.images)} images and {len(self.labels)} labels: give as many, at least 1")
        if not -len(self.images) <= self.image < len(self.images):
            raise ValueError(f"image={self.image}: there are {len(self.images)} images, the first is 0")
        if self.names and len(self.names) != self.config.num_classes:
            raise ValueError(f"{len(self.names)} names for num_classes={self.config.num_classes}")

    @property
    def config(self) -> ViTConfig:
        """Of the model."""
        return self.model.config

    @cached_property
    def logits(self) -> Tensor:
        """Of all images, on the CPU: ``(b, k)``."""
        return predict(self.model, self.images).float().cpu()

    @cached_property
    def present(self) -> list[int]:
        """Labels that have an image, ascending."""
        return sorted(set(self.labels.tolist()))

    @property
    def compared(self) -> list[int]:
        """The wanted labels that have an image; where none has, the first three labels that have."""
        return [label for label in self.wanted if label in self.present] or self.present[:3]

    def scale(self, what: str, own: Normalize) -> Normalize:
        """``own``, or the scale of all models drawn side by side, widened to hold it."""
        if self.scales is None:
            return own
        shared = self.scales.setdefault(what, own)
        shared.vmin = min(_end(shared.vmin), _end(own.vmin))
        shared.vmax = max(_end(shared.vmax), _end(own.vmax))
        return shared

    def name(self, label: int) -> str:
        """How a label is called."""
        return self.names[label] if self.names else str(label)

    def pixels(self, image: Tensor) -> Pixels:
        """An image ``(c, h, w)`` for matplotlib ``(h, w, 3)``, on one scale for all images."""
        low, high = self._range
        return picture(image, low, high)

    @cached_property
    def _range(self) -> tuple[float, float]:
        return self.images.min().item(), self.images.max().item()


def _end(bound: float | None) -> float:
    if bound is None:
        raise ValueError("a colour scale to share needs both its ends")
    return bound


PICTURES: Registry[Callable[[Look], Figure]] = Registry("picture")
"""Every picture by name; one that cannot be drawn raises ``vit.lens.NothingToSeeError`` with the reason."""
