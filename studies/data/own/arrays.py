"""Images and labels in an ``.npz``, under the names that Keras, MedMNIST or plain sense give them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from studies.data.dataset import DataError
from studies.data.own.items import SPLITS, Item, Listing, listed

NAMES = ("{split}_images {split}_labels", "x_{split} y_{split}", "X_{split} y_{split}")
UNSPLIT = ("images labels", "x y", "X y")


def list_arrays(file: Path) -> Listing:
    """The images of an archive: ``(n, h, w)``, ``(n, h, w, c)`` or ``(n, c, h, w)`` uint8, labels ``(n,)`` integers.

    Pickled objects are refused: to read one is to run what its author wrote.

    Raises:
        DataError: it cannot be read, has no such arrays, or they are of other shapes or types.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > psutil.virtual_memory().available:
            raise DataError(f"{file}: unpacks to {size / 2**30:.1f} GiB, more than this machine has free")
        with np.load(file, allow_pickle=False) as arrays:
            items = _items(file, arrays)
    except MemoryError:
        raise DataError(f"{file}: cannot be read as arrays: one claims to be larger than the memory") from None
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{file}: cannot be read as arrays: {error}") from None
    return Listing(file.stem, items)


def _items(file: Path, arrays: Any) -> list[Item]:
    pairs = [(split, pattern.format(split=split).split()) for pattern in NAMES for split in SPLITS]
    pairs += [("", pattern.split()) for pattern in UNSPLIT]
    found = [(split, *names) for split, names in pairs if all(name in arrays for name in names)]
    if not any(split in ("", "train") for split, *_ in found):
        raise DataError(
            f"{file}: holds {listed(arrays)}; name the arrays images and labels, or train_images, train_labels, "
            f"test_images, test_labels"
        )
    return [item for split, *names in found for item in _pairs(file, split, names, arrays)]


def _pairs(file: Path, split: str, names: list[str], arrays: Any) -> list[Item]:
    images, labels = (arrays[name] for name in names)
    if images.size == 0:
        raise DataError(f"{file}: {names[0]} of shape {images.shape} holds no pixel")
    labels = labels.reshape(len(labels), -1) if labels.size else labels
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise DataError(f"{file}: {names[0]} is {images.dtype} of shape {images.shape}; it must be uint8, (n, h, w, c)")
    if labels.dtype.kind not in "iuU" or labels.shape != (len(images), 1):
        raise DataError(f"{file}: {names[1]} is {labels.dtype} of shape {labels.shape}; expected an integer an image")
    if images.ndim == 4 and images.shape[3] not in (1, 3, 4) and images.shape[1] in (1, 3, 4):
        images = images.transpose(0, 2, 3, 1)
    if images.ndim == 4 and images.shape[3] not in (1, 3, 4):
        raise DataError(f"{file}: {names[0]} of shape {images.shape} has neither 1, 3 nor 4 channels")
    return [
        Item(f"{names[0]}[{i}]", np.squeeze(image, 2) if image.shape[2:] == (1,) else image, str(label), split or None)
        for i, (image, label) in enumerate(zip(images, labels[:, 0], strict=True))
    ]
