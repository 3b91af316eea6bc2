"""From a weights file to a folder for another program."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from bench.files import write_text
from studies.data import load
from studies.findings.findings import Findings
from studies.report.models.card import Trained, card_text
from studies.report.models.formats import FORMATS, Images
from studies.training.recipe import Recipe
from studies.training.weights import WeightsError, load_weights_file, read_notes

CARD = "README.md"


def trained_of(name: str, weights: Path) -> Trained:
    """The model of a weights file, with the data it was trained on.

    Raises:
        WeightsError: the file cannot be read, or does not say how it was trained.
        DataError: its data are not on this machine.
    """
    model, notes = load_weights_file(weights), read_notes(weights)
    if not {"dataset", "recipe", "seed"} <= notes.keys():
        raise WeightsError(f"{weights} does not say which data and recipe it was trained with; train it again")
    data = load(notes["dataset"])
    normal = Recipe(**json.loads(notes["recipe"])).normalize
    statistics = data.pixel_statistics if normal else (torch.zeros(1), torch.ones(1))
    mean, std = (
        [float(of_channel) for of_channel in value.flatten().expand(model.config.in_channels)] for value in statistics
    )
    images = Images(mean, std, data.class_names or [str(label) for label in range(data.num_classes)])
    return Trained(name, model, data, images, notes)


def hand_over(trained: Trained, to: str, folder: Path, found: Findings | None = None) -> list[Path]:
    """Write the model in a format, and its card; returns the paths.

    Args:
        trained: the model.
        to: a name in ``FORMATS``.
        folder: made where it is missing.
        found: its study, for the card.

    Raises:
        UnknownNameError: no such format.
        InteropError: the format has no counterpart for this model.
        HandoverError: a package is missing.
    """
    form = FORMATS[to]
    form.write(trained.model, trained.images, trained.notes, folder)
    write_text(folder, CARD, card_text(trained, form, found))
    return [folder / name for name in (*form.files, CARD)]
