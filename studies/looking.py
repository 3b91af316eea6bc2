"""From a weights file to what `vit-ablate look` draws: the model, and test images prepared as in training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from studies.data import load
from studies.pictures import PICTURES, Gallery, Look, compare, gallery
from studies.recipe import Recipe
from studies.train import Preparation
from studies.weights import WeightsError, load_weights_file, read_notes
from vit.lens import NothingToSeeError


class LookError(ValueError):
    """What was asked for cannot be shown; the message names the value and the choices."""


def look_at(weights: Path, image: int = 0, wanted: Sequence[int] = (3, 7, 8)) -> Look:
    """The model of a weights file beside the test images of the data set it was trained on.

    Raises:
        WeightsError: the file cannot be read, or does not say how it was trained.
        LookError: no such image or label.
    """
    model, notes = load_weights_file(weights), read_notes(weights)
    if not {"dataset", "recipe"} <= notes.keys():
        raise WeightsError(f"{weights} does not say which data and recipe it was trained with; train it again")
    data, recipe = load(notes["dataset"]), Recipe(**json.loads(notes["recipe"]))
    if not 0 <= image < len(data.test):
        raise LookError(f"--image {image}: the test images are 0 to {len(data.test) - 1}")
    for label in wanted:
        if not 0 <= label < data.num_classes:
            raise LookError(f"--labels {label}: the labels of {data.name} are 0 to {data.num_classes - 1}")
    return Look(model, Preparation(recipe, data).floats(data.test.images), data.test.labels, (), image, wanted)


def draw(look: Look, folder: Path) -> Gallery:
    """Every picture of one model."""
    return gallery(look.model, look.images, look.labels, folder, look.names, look.image, look.wanted)


def draw_beside(looks: Mapping[str, Look], folder: Path) -> list[Path]:
    """The same picture of several models side by side, for every picture that all of them have."""
    paths = []
    for picture in PICTURES:
        try:
            figure = compare(picture, looks)
        except NothingToSeeError:
            continue
        paths.append(folder / f"{picture}-beside.png")
        figure.savefig(paths[-1])
    return paths


def weights_of(folder: Path, cell: str) -> Path:
    """The weights that a study kept of a cell's first seed.

    Raises:
        LookError: there are none; lists the cells that have them.
    """
    kept = folder / "weights"
    path = kept / f"{cell.replace('/', '_')}.safetensors"
    if not path.exists():
        here = ", ".join(sorted(p.stem.replace("_", "/") for p in kept.glob("*.safetensors"))) or "none yet"
        raise LookError(f"no weights of {cell!r} in {folder}; choices: {here}")
    return path
