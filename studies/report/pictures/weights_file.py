"""From a weights file to what `vit-ablate look` draws: the model, and test images prepared as in training."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from studies.data import load
from studies.findings.saved import read_table
from studies.ledger.folder import ResultsFolder
from studies.report.pictures import PICTURES, Gallery, Look, compare, gallery
from studies.training.batches import Preparation
from studies.training.recipe import Recipe
from studies.training.weights import WeightsError, load_weights_file, read_notes
from vit.lens import NothingToSeeError


class LookError(ValueError):
    """What was asked for cannot be shown; the message names the value and the choices."""


def look_at(weights: Path, image: int = 0, wanted: Sequence[int] = ()) -> Look:
    """The model of a weights file beside the test images of the data set it was trained on.

    Args:
        weights: as a study keeps them.
        image: which test image single-image pictures show.
        wanted: labels to compare; empty for the first three that have a test image.

    Raises:
        WeightsError: the file cannot be read, or does not say how it was trained.
        LookError: no such image or label.
    """
    model, notes = load_weights_file(weights), read_notes(weights)
    if not {"dataset", "recipe"} <= notes.keys():
        raise WeightsError(f"{weights} does not say which data and recipe it was trained with; train it again")
    try:
        recipe = Recipe(**json.loads(notes["recipe"]))
    except (TypeError, ValueError, RecursionError) as error:
        raise WeightsError(f"{weights}: its recipe does not fit this version ({error})") from None
    data = load(notes["dataset"])
    if not 0 <= image < len(data.test):
        raise LookError(f"--image {image}: the test images are 0 to {len(data.test) - 1}")
    for label in wanted:
        if not 0 <= label < data.num_classes:
            raise LookError(f"--labels {label}: the labels of {data.name} are 0 to {data.num_classes - 1}")
    return Look(
        model, Preparation(recipe, data).floats(data.test.images), data.test.labels, data.class_names, image, wanted
    )


def draw(look: Look, folder: Path, pictures: Sequence[str] = (), form: str = "png") -> Gallery:
    """Every picture of one model, or those that are named, as PNG or SVG."""
    return gallery(look.model, look.images, look.labels, folder, look.names, look.image, look.wanted, pictures, form)


def draw_beside(looks: Mapping[str, Look], folder: Path) -> Iterator[Path]:
    """The same picture of several models side by side, for every picture that all of them have, as it is drawn."""
    for picture in PICTURES:
        try:
            figure = compare(picture, looks)
        except NothingToSeeError:
            continue
        path = folder / f"{picture}-beside.png"
        figure.savefig(path)
        yield path


@dataclass(frozen=True)
class Arms:
    """The arms of a study that can be trained, and which is the baseline."""

    names: list[str]
    baseline: str


def arms_of(folder: ResultsFolder) -> Arms:
    """As its tables say, which is read at once, else as its storage does.

    Raises:
        LedgerError: nothing was run in this folder.
        ExportError: a damaged table.
    """
    if folder.table("cells").exists():
        cells = read_table(folder.path, "cells")
        possible = cells[cells["unsupported"].isna()]
        return Arms(list(possible["cell"]), str(possible.loc[possible["baseline"].astype(bool), "cell"].iloc[0]))
    plan = folder.ledger().plan
    return Arms([cell.name for cell in plan.runnable], plan.baseline)


def weights_of(folder: ResultsFolder, arm: str) -> Path:
    """The weights that a study kept of an arm's first seed.

    Raises:
        LookError: there are none; lists the arms that have them.
        LedgerError: nothing was run in this folder.
    """
    arms = arms_of(folder).names
    if arm not in arms or not folder.weights(arm).exists():
        kept = [name for name in arms if folder.weights(name).exists()]
        here = ", ".join(kept or (arms if arm not in arms else ["none here"]))
        what = "no arm is called" if arm not in arms else "no weights of"
        raise LookError(f"{what} {arm!r} in {folder.path}; choices: {here}")
    return folder.weights(arm)
