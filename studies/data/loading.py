"""A data set by what a person calls it, and by the name under which plans and trials know it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from studies.data.dataset import DATASETS, DataError, DataSet
from studies.data.own.decoding import Progress
from studies.data.own.importing import import_images
from studies.data.own.store import is_stored_name, read


@cache
def load(name: str) -> DataSet:
    """The data set of this name, read once per process; no name is ever taken for a path.

    Raises:
        UnknownNameError: no such data set.
        DataError: a file is missing or damaged.
    """
    return read(name) if is_stored_name(name) else DATASETS[name]()


def name_of(
    text: str,
    image_size: int | None = None,
    resize: str = "crop",
    refuse_broken: bool = False,
    progress: Progress = lambda done, of: None,
) -> str:
    """The name of a registered or stored data set, or of the path of a person's own images, which are decoded.

    A registered name comes first: for a folder called ``mnist`` write ``./mnist``.

    Raises:
        UnknownNameError: neither a name nor a path.
        DataError: no usable images, or a size for images whose size is fixed.
    """
    if text in DATASETS or is_stored_name(text):
        if image_size is not None:
            raise DataError(f"--image-size {image_size}: images of {text} have a fixed size; leave it out")
        return text
    if not (Path(text).exists() or "/" in text or "." in text):
        DATASETS[text]  # names the choices
    return import_images(Path(text).expanduser(), image_size, resize, refuse_broken, progress)
