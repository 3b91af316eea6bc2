"""Data sets as resident uint8 tensors, every file's digest checked, with one fixed validation split."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from importlib.resources.abc import Traversable

import numpy as np
import torch
from torch import Tensor

from vit import Registry


class DataError(RuntimeError):
    """A data file is missing, truncated or not the published one; the message says what to do."""


@dataclass(frozen=True)
class Split:
    """Images ``(n, c, h, w)`` uint8 and labels ``(n,)`` int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: str) -> Split:
        """The same tensors on a device."""
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class DataSet:
    """Train, validation and test splits; validation is held out of the published training images."""

    name: str
    num_classes: int
    train: Split
    val: Split
    test: Split

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        c, h, w = self.train.images.shape[1:]
        return c, h, w

    @cached_property
    def pixel_statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation per channel ``(c, 1, 1)`` of the training pixels, scaled to [0, 1]."""
        levels = torch.arange(256, dtype=torch.float64) / 255
        counts = torch.stack(
            [channel.flatten().bincount(minlength=256).cpu() for channel in self.train.images.unbind(1)]
        )
        shares = counts.double() / counts.sum(dim=1, keepdim=True)
        mean = shares @ levels
        variance = shares @ levels**2 - mean**2
        return mean.float()[:, None, None], variance.sqrt().float()[:, None, None]

    def to(self, device: str) -> DataSet:
        """The same data on a device."""
        if self.train.images.device == torch.device(device):
            return self
        return DataSet(self.name, self.num_classes, self.train.to(device), self.val.to(device), self.test.to(device))


DATASETS: Registry[Callable[[], DataSet]] = Registry("data set")

MNIST_SHA256 = {
    "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@DATASETS.register("mnist")
def mnist(folder: Traversable | None = None) -> DataSet:
    """MNIST (LeCun, Cortes; CC BY-SA 3.0): 50,000 train, 10,000 validation, 10,000 test, 28 x 28 x 1."""
    folder = folder or resources.files("studies") / "datasets" / "mnist"
    files = {name: read_idx(folder / name, sha256) for name, sha256 in MNIST_SHA256.items()}
    published = Split(files["train-images-idx3-ubyte.gz"][:, None], files["train-labels-idx1-ubyte.gz"].long())
    test = Split(files["t10k-images-idx3-ubyte.gz"][:, None], files["t10k-labels-idx1-ubyte.gz"].long())
    train, val = hold_out(published, 10_000)
    return DataSet("mnist", 10, train, val, test)


@cache
def load(name: str) -> DataSet:
    """The data set of this name, read once per process.

    Raises:
        UnknownNameError: no such data set.
        DataError: a file is missing or damaged.
    """
    return DATASETS[name]()


def hold_out(split: Split, size: int) -> tuple[Split, Split]:
    """Split off ``size`` items with the label proportions of the whole, the same ones every time."""
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
    by_label = order[torch.argsort(split.labels[order], stable=True)]
    # every (n/size)-th item of the label-sorted order: proportional in every label, exactly `size` in all
    held = torch.zeros(len(split), dtype=torch.bool)
    held[by_label[(torch.arange(size) * len(split)) // size]] = True
    return Split(split.images[~held], split.labels[~held]), Split(split.images[held], split.labels[held])


def read_idx(file: Traversable, sha256: str) -> Tensor:
    """A gzipped IDX file of bytes as a uint8 tensor, its decompressed digest checked.

    Raises:
        DataError: missing, truncated or altered; names the file, both digests and the fix.
    """
    fix = "restore it with `git checkout -- studies/datasets` or install vit-ablate again"
    try:
        content = zlib.decompressobj(wbits=31).decompress(file.read_bytes())
    except (OSError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read ({error}); expected sha256 {sha256}; {fix}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"{file}: wrong or truncated: sha256 is {found}, expected {sha256}; {fix}")
    dims = np.frombuffer(content, ">i4", count=content[3], offset=4)
    pixels = np.frombuffer(content, np.uint8, offset=4 + 4 * len(dims))
    return torch.from_numpy(pixels.reshape(dims).copy())
