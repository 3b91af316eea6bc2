"""The command that shows a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studies.cli.console import app
from studies.cli.images import DataDir, DatasetName, Images, ImageSize, RefuseBroken, Resize, ResizeOption
from studies.cli.options import Results


@app.command()
def data(
    dataset: DatasetName,
    data_dir: DataDir = None,
    image_size: ImageSize = None,
    resize: ResizeOption = Resize.crop,
    refuse_broken: RefuseBroken = False,
    results: Results = Path("results"),
    to: Annotated[Path | None, typer.Option(help="Folder of the picture.", show_default="in --results")] = None,
) -> None:
    """Show a data set: classes, counts, sizes, imbalance, near-duplicates, what was skipped, and a picture of some."""
    images = Images(
        dataset=dataset, data_dir=data_dir, image_size=image_size, resize=resize, refuse_broken=refuse_broken
    )
    from studies.cli.doing.showing_data import show_data

    show_data(images, to or results / "data")
