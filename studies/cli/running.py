"""Commands that run: list, plan, run, status, train."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from studies.cli.asking import asking
from studies.cli.console import UsageError, app
from studies.cli.devices import Device, DeviceOption
from studies.cli.images import DataDir, Dataset, Images, ImageSize, Resize, ResizeOption
from studies.cli.known import check
from studies.cli.options import (
    Asked,
    Growing,
    Init,
    Json,
    MaxSeeds,
    MaybeStudy,
    Results,
    Set,
    Storage,
    UntilDecided,
    WithChoices,
    check_settings,
)
from studies.cli.tuning import Pruner, Sampler, Tune, Tuning
from studies.cli.way import Way


class Listed(StrEnum):
    """What can be listed."""

    studies = "studies"
    components = "components"


@app.command("list")
def list_command(
    what: Annotated[Listed, typer.Argument(help="The studies, or what models can be made of.")] = Listed.studies,
    markdown: Annotated[bool, typer.Option("--markdown", help="Components as the page docs/components.md.")] = False,
    as_json: Json = False,
) -> None:
    """Show the studies, or the components of models."""
    if markdown and what is not Listed.components:
        raise UsageError("--markdown goes with `vit-ablate list components`")
    if markdown and as_json:
        raise UsageError("--markdown and --json: give one of them")
    from studies.cli.doing.listing import list_components, list_studies, print_json, print_page

    if markdown:
        print_page()
    elif as_json:
        print_json(what.value)
    else:
        {Listed.studies: list_studies, Listed.components: list_components}[what]()


@app.command()
def new(file: Annotated[Path, typer.Argument(help="A Python file to write.", metavar="FILE.py")]) -> None:
    """Write a study of your own to start from: commented, and it runs as it is."""
    from studies.cli.doing.beginning import begin_study

    begin_study(file)


@app.command()
@asking
def plan(
    asked: Asked,
    measure: Annotated[bool, typer.Option("--measure", help="Time a few steps of every arm here.")] = False,
    until_decided: UntilDecided = False,
    max_seeds: MaxSeeds = None,
    tune: Tune = None,
    sampler: Sampler = None,
    pruner: Pruner = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Print the cells, trials, the time they would take and what they could detect, without running them."""
    growing, tuning = Growing(until_decided, max_seeds), Tuning(tune, sampler, pruner)
    growing.check(asked.seeds, asked.first_seed)
    tuning.check()
    from studies.cli.doing.planning import print_plan

    print_plan(asked, measure, growing, tuning, as_json)


@app.command()
@asking
def run(asked: Asked, way: Way) -> None:
    """Run a study, or go on with it: finished trials are not run again."""
    way.check(asked)
    from studies.cli.doing.running import run_study

    run_study(asked, way)


@app.command()
def status(
    study: MaybeStudy = None,
    results: Results = Path("results"),
    as_json: Json = False,
    storage: Storage = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Who does what, speed and time left, redrawn until all is over.")
    ] = False,
    every: Annotated[
        float | None, typer.Option(min=0.2, metavar="SECONDS", help="Between two looks.", show_default="2")
    ] = None,
) -> None:
    """Show how far studies are, from anywhere that reaches their storage; safe while they run."""
    if every is not None and not watch:
        raise UsageError(f"--every {every:g} goes with --watch")
    if watch:
        from studies.cli.doing.watching import watch as watch_studies

        watch_studies(study, results, as_json, storage, every or 2.0)
        return
    from studies.cli.doing.status import show_status

    show_status(study, results, as_json, storage)


@app.command(cls=WithChoices)
def train(
    preset: Annotated[str, typer.Option(help="One of {preset}.")] = "tiny",
    settings: Set = None,
    init: Init = None,
    dataset: Dataset = "mnist",
    data_dir: DataDir = None,
    image_size: ImageSize = None,
    resize: ResizeOption = Resize.crop,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of all random streams.")] = 0,
    device: DeviceOption = Device.auto,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the weights, for `look --weights FILE`.", dir_okay=False)
    ] = None,
) -> None:
    """Train one model and print its learning curve and test accuracy."""
    check("preset", preset)
    images = Images(dataset=dataset, data_dir=data_dir, image_size=image_size, resize=resize)
    check_settings(settings)
    from studies.cli.doing.training import train_one

    train_one(preset, settings, init, images, seed, device, save)
