"""The command that hands a trained arm to another program: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studies.cli.console import app
from studies.cli.known import check
from studies.cli.options import MaybeStudy, Results, WithChoices


@app.command(cls=WithChoices)
def export(
    study: MaybeStudy = None,
    to: Annotated[str, typer.Option("--to", help="One of {model format}.")] = "safetensors",
    cell: Annotated[str | None, typer.Option(help="An arm.", show_default="the baseline")] = None,
    weights: Annotated[Path | None, typer.Option(help="A safetensors file instead of a study.", dir_okay=False)] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write.", file_okay=False, show_default="FOLDER/models/ARM-FORMAT")
    ] = None,
    results: Results = Path("results"),
) -> None:
    """Hand a trained arm to timm, transformers, ONNX or another project: weights, and a model card beside them."""
    check("model format", to)
    from studies.cli.doing.exporting import export_model

    export_model(study, cell, weights, results, to, out)
