"""The cache of decoded images: one folder a data set, named by the digest of what training will see.

A data set is called ``pets-0123456789ab``: a word for people, and the digest, which alone counts. The folder
``0123456789ab`` holds ``images.bin`` (uint8, the rows of train, then validation, then test), ``labels.npy`` and
``about.json``. The digest is of pixels, labels, splits and names of classes: equal for equal data whatever their path,
another one if any image, the image size or the decoder changes anything. It is made whole or not at all, and mapped
into memory when it is read, so that many workers share it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bench.files import write_text
from studies.data.dataset import DataError, DataSet, Split
from studies.data.own.items import SPLITS
from studies.data.places import CACHE, cache_folder

ABANDONED = 24 * 3600
"""Seconds after which nobody is at work on a temporary folder."""
NAME = re.compile(r"[a-z0-9_]+-([0-9a-f]{12})")


@dataclass(frozen=True)
class About:
    """What is known of a stored data set.

    Args:
        title: what the person calls it.
        class_names: by label.
        sizes: images in train, validation and test.
        shape: of one image: channels, height, width.
        resize: the policy for other aspects.
        originals: width and height of the smallest, the median and the largest image, by number of pixels.
        modes: Pillow's modes of the images as they were, and how many had each.
        skipped: names of images left out, and why.
        look_alikes: how many images of validation have a near-duplicate in train, and of test in either.
    """

    title: str
    class_names: list[str]
    sizes: dict[str, int]
    shape: tuple[int, int, int]
    resize: str
    originals: list[tuple[int, int]]
    modes: dict[str, int]
    skipped: list[tuple[str, str]]
    look_alikes: dict[str, int]


def is_stored_name(name: str) -> bool:
    """Whether a data set of this name would lie in the cache; such a name is a safe file name."""
    return NAME.fullmatch(name) is not None


def identity(name: str) -> str:
    """What of a name counts: the digest of a stored data set, the name of a published one."""
    stored = NAME.fullmatch(name)
    return stored[1] if stored else name


def _folder(name: str) -> Path:
    return cache_folder() / identity(name)


def about(name: str) -> About:
    """What is known of it.

    Raises:
        DataError: it is not in the cache, or damaged.
    """
    folder = _folder(name)
    try:
        return About(**json.loads((folder / "about.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DataError(
            f"{name} is not in the cache {cache_folder()}: name its folder of images once on this machine, "
            f"`vit-ablate data FOLDER`, or the cache that has it, {CACHE}=..."
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{folder}: damaged ({error}); remove it, and the images are decoded again") from None


def read(name: str) -> DataSet:
    """A stored data set, its pixels mapped into memory.

    Raises:
        DataError: it is not in the cache, or damaged.
    """
    folder, known = _folder(name), about(name)
    try:
        return mapped(folder, np.load(folder / "labels.npy", allow_pickle=False), known, name)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"{folder}: damaged ({error}); remove it, and the images are decoded again") from None


def mapped(folder: Path, labels: npt.NDArray[np.int64], known: About, name: str) -> DataSet:
    """A folder with ``images.bin`` as a data set."""
    sizes = [known.sizes[split] for split in SPLITS]
    # c: a private copy of what is written to, which is nothing; torch warns of memory that is read-only
    pixels = np.memmap(folder / "images.bin", np.uint8, "c", shape=(sum(sizes), *known.shape))
    parts = (torch.split(torch.from_numpy(array), sizes) for array in (pixels, labels))
    train, val, test = (Split(*part) for part in zip(*parts, strict=True))
    return DataSet(name, len(known.class_names), train, val, test, tuple(known.class_names))


@contextmanager
def making() -> Iterator[Path]:
    """A temporary folder in the cache, gone at the end whatever happened.

    Raises:
        DataError: the cache cannot be written, or is full.
    """
    folder = cache_folder() / f".tmp-{uuid.uuid4().hex}"
    try:
        _sweep()
        folder.mkdir(parents=True)
        yield folder
    except OSError as error:
        raise DataError(
            f"{cache_folder()} cannot be written: {error.strerror or error}; make room or name another: {CACHE}=FOLDER"
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """Remove what a killed process left; another one may be done with its own meanwhile."""
    for left in cache_folder().glob(".tmp-*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > ABANDONED:
                shutil.rmtree(left, ignore_errors=True)


def keep(folder: Path, labels: npt.NDArray[np.int64], known: About) -> str:
    """Give a folder with ``images.bin`` its place in the cache, and say its name."""
    with (folder / "images.bin").open("rb") as file:
        pixels = hashlib.file_digest(file, "sha256").hexdigest()
    content = [pixels, known.shape, known.sizes, known.class_names, hashlib.sha256(labels.tobytes()).hexdigest()]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    np.save(folder / "labels.npy", labels)
    write_text(folder, "about.json", json.dumps(asdict(known), indent=1))
    place = cache_folder() / digest
    if (place / "about.json").exists():  # equal images, of which other things may be known
        write_text(place, "about.json", json.dumps(asdict(known), indent=1))
    else:
        shutil.rmtree(place, ignore_errors=True)  # a damaged one
        try:
            folder.rename(place)
        except OSError:
            if not (place / "about.json").exists():  # nobody else was quicker
                raise
    return f"{_word(known.title)}-{digest}"


def remembered(fingerprint: str) -> str | None:
    """The name of the data set that a source with this fingerprint became, if it is still there."""
    try:
        name = (cache_folder() / "sources" / fingerprint).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return name if is_stored_name(name) and (_folder(name) / "about.json").exists() else None


def remember(fingerprint: str, name: str) -> None:
    """So that the source need not be decoded again."""
    write_text(cache_folder() / "sources", fingerprint, name)


def _word(title: str) -> str:
    """A title in letters, digits and underscores."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:24] or "images"
