"""Commands that look: into a trained model, at this machine, at the statistics themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studies.cli.console import app
from studies.cli.devices import Device, DeviceOption
from studies.cli.options import MaybeStudy, Results


@app.command()
def look(
    study: MaybeStudy = None,
    cell: Annotated[str | None, typer.Option(help="An arm.", show_default="the baseline")] = None,
    against: Annotated[str | None, typer.Option(help="Another arm, drawn beside it.")] = None,
    weights: Annotated[Path | None, typer.Option(help="A safetensors file instead of a study.", dir_okay=False)] = None,
    image: Annotated[int, typer.Option(min=0, help="Which test image single-image pictures show.")] = 0,
    labels: Annotated[
        str | None, typer.Option(help="Labels to compare, for example 3,7,8.", show_default="the first three")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Folder of the pictures.", file_okay=False)] = None,
    results: Results = Path("results"),
) -> None:
    """Draw what a trained model sees: cuts, positions, attention, gradients, mistakes."""
    from studies.cli.doing.looking import draw_pictures, parse_labels, target_of

    wanted = () if labels is None else parse_labels(labels)
    draw_pictures(target_of(study, cell, weights, results), against, image, wanted, to)


@app.command()
def doctor(device: DeviceOption = Device.auto) -> None:
    """Measure this machine's limits and check versions, device and data."""
    from studies.cli.doing.examining import print_diagnosis

    print_diagnosis(device)


@app.command()
def calibrate(
    studies: Annotated[int, typer.Option(min=100, max=1_000_000, help="Simulated studies per condition.")] = 4000,
    results: Results = Path("results"),
) -> None:
    """Prove the statistics on simulated studies whose truth is known; exit code 1 if a promise is broken."""
    from studies.cli.doing.calibrating import prove_statistics

    prove_statistics(studies, results)
