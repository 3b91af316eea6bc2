"""What every data set promises."""

from __future__ import annotations

import torch

from studies.data.dataset import DATASETS, DataSet, Split


def check_data_set(name: str) -> None:
    """Load a registered data set twice and look at what it gives.

    Raises:
        AssertionError: a promise is broken; says which and how.
    """
    data, again = DATASETS[name](), DATASETS[name]()
    assert isinstance(data, DataSet), f"{name} gives {type(data).__name__}, not a DataSet"
    assert data.name == name, f"it is registered as {name!r}, but calls itself {data.name!r}"
    shapes = {split.images.shape[1:] for split in _splits(data)}
    assert len(shapes) == 1, f"images of several shapes: {sorted(map(tuple, shapes))}"
    for part, split, twin in zip(("train", "val", "test"), _splits(data), _splits(again), strict=True):
        _check_split(part, split, data.num_classes)
        same = torch.equal(split.images, twin.images) and torch.equal(split.labels, twin.labels)
        assert same, f"{part} is another one each time: a trial could not be repeated"


def _check_split(part: str, split: Split, num_classes: int) -> None:
    images, labels = split.images, split.labels
    assert images.dtype == torch.uint8, f"{part}: images are {images.dtype}, not uint8"
    assert images.ndim == 4, f"{part}: images of shape {tuple(images.shape)}, not (n, c, h, w)"
    assert labels.dtype == torch.int64, f"{part}: labels are {labels.dtype}, not int64"
    assert 0 < len(images) == len(labels), f"{part}: {len(images)} images, {len(labels)} labels"
    low, high = int(labels.min()), int(labels.max())
    assert 0 <= low <= high < num_classes, f"{part}: labels {low} to {high} of {num_classes} classes"


def _splits(data: DataSet) -> tuple[Split, Split, Split]:
    return data.train, data.val, data.test
