"""Which images: the options of every command that takes a data set."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from studies.cli.known import check


class Resize(StrEnum):
    """What is done about images that are not square."""

    crop = "crop"
    pad = "pad"
    stretch = "stretch"


STORED = r"[a-z0-9_]+-[0-9a-f]{12}"
"""How ``studies/data/own/store.py`` names what is in the cache; to ask it would load torch."""
YOURS = "a folder with one subfolder a class, a .csv or .parquet of path and label, or an .npz"
Dataset = Annotated[
    str | None,
    typer.Option(metavar="NAME|PATH", help=f"A data set, or your images: {YOURS}.", show_default="the study's"),
]
DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help=f"A data set, or your images: {YOURS}.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of published files, looked into before any is fetched.", file_okay=False, exists=True),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        min=1, max=8192, help="Side of your images in pixels.", show_default="by their size: 32 or 64 as a rule"
    ),
]
ResizeOption = Annotated[Resize, typer.Option(help="What becomes of those of your images that are not square.")]
RefuseBroken = Annotated[bool, typer.Option("--refuse-broken", help="End where an image is broken, not skip it.")]


@dataclass(frozen=True, kw_only=True)
class Images:
    """Which images, and how a person's own become equal in size.

    Raises:
        UsageError: a name that is not known and no path.
    """

    dataset: Dataset = None
    data_dir: DataDir = None
    image_size: ImageSize = None
    resize: ResizeOption = Resize.crop
    refuse_broken: RefuseBroken = False

    def __post_init__(self) -> None:
        if self.dataset is not None and not may_be_path(self.dataset):
            check("data set", self.dataset)


def may_be_path(text: str) -> bool:
    """Whether it is to be looked for in the file system, or in the cache; else it must be a registered name."""
    written = any(sign in text for sign in (os.sep, "/", "."))
    return bool(text) and bool(written or re.fullmatch(STORED, text) or Path(text).exists())
