"""What a data set is: resident uint8 tensors with one fixed validation split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from vit import Registry

STATISTICS_BATCH = 1024
UNEQUAL = 1.5
"""From this ``Split.imbalance`` on accuracy alone misleads; MNIST's test images have 1.27."""


class DataError(RuntimeError):
    """A data file is missing, truncated or not the published one; the message says what to do."""


@dataclass(frozen=True)
class Split:
    """Images ``(n, c, h, w)`` uint8 and labels ``(n,)`` int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def imbalance(self) -> float:
        """How many times as many images the largest class has as the smallest that occurs."""
        sizes = self.labels.bincount()
        return float(sizes.max() / sizes[sizes > 0].min())

    def to(self, device: str) -> Split:
        """The same tensors on a device."""
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class DataSet:
    """Train, validation and test splits; validation is held out of the published training images.

    ``class_names`` is empty where a class is called by its number.
    """

    name: str
    num_classes: int
    train: Split
    val: Split
    test: Split
    class_names: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """What every class is called, its number where it has no name."""
        return list(self.class_names) or [str(label) for label in range(self.num_classes)]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        c, h, w = self.train.images.shape[1:]
        return c, h, w

    @cached_property
    def pixel_statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation per channel ``(c, 1, 1)`` of the training pixels, scaled to [0, 1]."""
        levels = torch.arange(256, dtype=torch.float64) / 255
        # some at a time: counting needs eight bytes a pixel
        counts = torch.stack([_level_counts(some) for some in torch.split(self.train.images, STATISTICS_BATCH)]).sum(
            dim=0
        )
        shares = counts.double() / counts.sum(dim=1, keepdim=True)
        mean = shares @ levels
        variance = shares @ levels**2 - mean**2
        return mean.float()[:, None, None], variance.sqrt().float()[:, None, None]

    def with_train_images(self, size: int) -> DataSet:
        """With ``size`` of its training images, classes in proportion, the same ones every time; 0 for all."""
        if size in (0, len(self.train)):
            return self
        if size not in self._smaller:
            self._smaller[size] = replace(self, train=hold_out(self.train, size)[1])
        return self._smaller[size]

    @cached_property
    def _smaller(self) -> dict[int, DataSet]:
        """Those made before: every trial of a worker asks for the same."""
        return {}

    def to(self, device: str) -> DataSet:
        """The same data on a device."""
        if self.train.images.device == torch.device(device):
            return self
        train, val, test = (split.to(device) for split in (self.train, self.val, self.test))
        return replace(self, train=train, val=val, test=test)


def _level_counts(images: Tensor) -> Tensor:
    """How often each of the 256 levels occurs, by channel ``(c, 256)``."""
    return torch.stack([channel.flatten().bincount(minlength=256).cpu() for channel in images.unbind(1)])


DATASETS: Registry[Callable[[], DataSet]] = Registry("data set")


def hold_out(split: Split, size: int) -> tuple[Split, Split]:
    """Split off ``size`` items with the label proportions of the whole, the same ones every time."""
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
    by_label = order[torch.argsort(split.labels[order], stable=True)]
    # every (n/size)-th item of the label-sorted order: proportional in every label, exactly `size` in all
    held = torch.zeros(len(split), dtype=torch.bool)
    held[by_label[(torch.arange(size) * len(split)) // size]] = True
    return Split(split.images[~held], split.labels[~held]), Split(split.images[held], split.labels[held])
