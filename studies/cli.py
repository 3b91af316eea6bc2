"""The command line: what a person types."""

from __future__ import annotations

import glob
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import torch
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import studies.catalog  # noqa: F401  registers the studies
from bench.doctor import diagnose
from studies.data import DATASETS, DataError, load
from studies.design import STUDIES, DesignError, Plan, Study, apply, check_data, expand, parse_settings
from studies.ledger import Ledger, LedgerError
from studies.looking import LookError, draw, draw_beside, look_at, weights_of
from studies.measure import BRIEF, FULL, Effort, measure_cells
from studies.recipe import Recipe, RecipeError
from studies.report import publish
from studies.runner import Runner, expected_seconds
from studies.screen import LiveScreen, PlainScreen, duration, percent, ranked_table
from studies.train import Epoch, Preparation, evaluate, fit
from studies.weights import WeightsError
from vit import PRESETS, ConfigError, UnknownNameError

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich", help=__doc__)
out = Console()
err = Console(stderr=True)

USAGE, FAILED_TRIALS, INTERRUPTED = 2, 3, 130
USAGE_ERRORS = (
    ConfigError,
    DataError,
    DesignError,
    LedgerError,
    LookError,
    RecipeError,
    UnknownNameError,
    WeightsError,
)


class Device(StrEnum):
    """Where to train."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


StudyName = Annotated[str, typer.Argument(help="A study; `vit-ablate list` shows them.", metavar="STUDY")]
Seeds = Annotated[int | None, typer.Option(min=1, help="Seeds per arm.", show_default="the study's")]
Quick = Annotated[bool, typer.Option("--quick", help="The same table from less training.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change a field of model or recipe for all arms; repeatable."),
]
DeviceOption = Annotated[Device, typer.Option(help="Where to train.")]
Results = Annotated[Path, typer.Option(help="Folder of all results.", file_okay=False)]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Worker processes, one torch thread each.", show_default="the cores")
]


def main() -> NoReturn:
    """Entry point: errors that a person can mend are one message, not a traceback."""
    try:
        app()
    except USAGE_ERRORS as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(USAGE) from None
    raise SystemExit(0)


@app.command("list")
def list_studies() -> None:
    """Show the studies."""
    table = Table("study", "factors", "cells", "trials", "question")
    for study in STUDIES.values():
        plan = expand(study, "cpu")
        factors = " × ".join(f"{name} {{{', '.join(map(str, levels))}}}" for name, levels in plan.factors.items())
        table.add_row(study.name, factors, str(len(plan.cells)), str(len(plan.trials)), study.question)
    out.print(table)


@app.command()
def plan(
    study: StudyName,
    seeds: Seeds = None,
    quick: Quick = False,
    settings: Set = None,
    device: DeviceOption = Device.auto,
    workers: Workers = None,
) -> None:
    """Print the cells, the number of trials and the time they would take, without running them."""
    made = _plan(study, seeds, quick, settings, device)
    table = Table("arm", "tokens", "parameters", "seconds a trial", title=made.question, title_justify="left")
    with out.status("timing a few steps of every arm"):
        measured = measure_cells(made.runnable, made.device, Effort(rounds=3, round_seconds=0.02))
    num_images = len(load(made.dataset).train)
    total = 0.0
    for cell in made.cells:
        if cell.config is None:
            table.add_row(cell.name, "", "", f"cannot be: {cell.reason}")
            continue
        seconds = expected_seconds(cell, measured, num_images)
        total += seconds * len(made.seeds)
        facts = measured[cell.content_hash]
        table.add_row(cell.name, str(cell.config.num_tokens), f"{facts.get('params', 0):,}", f"{seconds:.1f}")
    out.print(table)
    count = workers or default_workers(made.device)
    wall = total / count + (BRIEF if quick else FULL).seconds(len(made.runnable))
    out.print(
        f"{len(made.runnable)} arms × {len(made.seeds)} seeds = {len(made.trials)} trials, about "
        f"{duration(wall)} with {count} workers, measuring included"
    )


@app.command()
def run(
    study: StudyName,
    seeds: Seeds = None,
    quick: Quick = False,
    settings: Set = None,
    device: DeviceOption = Device.auto,
    workers: Workers = None,
    results: Results = Path("results"),
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed trials again.")] = False,
) -> None:
    """Run a study, or go on with it: finished trials are not run again."""
    made = _plan(study, seeds, quick, settings, device)
    ledger = Ledger(results / made.folder, create=True)
    screen = LiveScreen(out, made, ledger.entries().values()) if _is_screen() else PlainScreen(out)
    runner = Runner(
        made, ledger, workers or default_workers(made.device), BRIEF if quick else FULL, screen, retry_failed
    )
    with screen:
        progress = runner.run()
    _show(ledger)
    if runner.stop.presses:
        err.print(f"interrupted: {progress.waiting} trials wait; the same command goes on with them")
        raise typer.Exit(INTERRUPTED)
    if progress.failed:
        err.print(f"{progress.failed} trials failed, see the table; --retry-failed runs them again")
        raise typer.Exit(FAILED_TRIALS)


@app.command()
def status(
    study: Annotated[str | None, typer.Argument(help="A study or a results folder.", metavar="[STUDY]")] = None,
    results: Results = Path("results"),
) -> None:
    """Show how far studies are; safe while they run."""
    table = Table("study", "complete", "running", "waiting", "failed", "reasons")
    folders = [_folder(results, study)] if study else sorted(path.parent for path in results.glob("*/study.db"))
    if not folders:
        err.print(f"no study in {results}: start one with `vit-ablate run`")
        raise typer.Exit(USAGE)
    for folder in folders:
        entries = list(Ledger(folder).entries().values())
        counts = [str(sum(e.state == s for e in entries)) for s in ("complete", "running", "waiting", "failed")]
        reasons = sorted({e.reason for e in entries if e.state == "failed" and e.reason})
        table.add_row(folder.name, *counts, "; ".join(reasons))
    out.print(table)


@app.command()
def table(
    study: Annotated[str, typer.Argument(help="A study or a results folder.", metavar="STUDY")],
    results: Results = Path("results"),
) -> None:
    """Rebuild the tables and figures of a study from its storage, and print the ranked arms."""
    _show(Ledger(_folder(results, study)))


@app.command()
def train(
    preset: Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS)}.")] = "tiny",
    settings: Set = None,
    dataset: Annotated[str, typer.Option(help="A data set.")] = "mnist",
    seed: Annotated[int, typer.Option(help="Seed of all random streams.")] = 0,
    device: DeviceOption = Device.auto,
) -> None:
    """Train one model and print its learning curve and test accuracy."""
    config, recipe = apply(PRESETS[preset], Recipe(), parse_settings(settings or []))
    place = resolve_device(device)
    data = load(dataset)
    torch.set_num_threads(1)  # as in a study: the same bits, and more threads give a small model nothing

    def say(epoch: Epoch) -> None:
        out.print(
            f"epoch {epoch.epoch}/{recipe.epochs}  train loss {epoch.train_loss:.4f}  "
            f"validation {percent(epoch.val_accuracy)}  {epoch.seconds:.1f} s",
            highlight=False,
        )

    fitted = fit(config, recipe, data, seed, place, say)
    data = data.to(place)
    score = evaluate(fitted.model, data.test, Preparation(recipe, data))
    out.print(
        f"test accuracy {percent(score.accuracy)}, loss {score.loss:.4f}, {fitted.model.num_params():,} parameters"
    )


@app.command()
def look(
    study: Annotated[str | None, typer.Argument(help="A study or a results folder.", metavar="[STUDY]")] = None,
    cell: Annotated[str | None, typer.Option(help="An arm.", show_default="the baseline")] = None,
    against: Annotated[str | None, typer.Option(help="Another arm, drawn beside it.")] = None,
    weights: Annotated[Path | None, typer.Option(help="A safetensors file instead of a study.", dir_okay=False)] = None,
    image: Annotated[int, typer.Option(help="Which test image single-image pictures show.")] = 0,
    labels: Annotated[str, typer.Option(help="Labels to compare.")] = "3,7,8",
    to: Annotated[Path | None, typer.Option(help="Folder of the pictures.", file_okay=False)] = None,
    results: Results = Path("results"),
) -> None:
    """Draw what a trained model sees: cuts, positions, attention, gradients, mistakes."""
    wanted = parse_labels(labels)
    if (study is None) == (weights is None):
        raise DesignError("give either a STUDY or --weights FILE")
    if weights is None:
        folder = _folder(results, study or "")
        name = cell or Ledger(folder).plan.baseline
        weights, target = weights_of(folder, name), folder / "pictures" / name.replace("/", "_")
    else:
        name, target = weights.stem, weights.parent / f"{weights.stem}-pictures"
    target = to or target
    seen = look_at(weights, image, wanted)
    with out.status(f"drawing what {name} sees"):
        drawn = draw(seen, target)
        if against is not None:
            other = look_at(weights_of(weights.parent.parent, against), image, wanted)
            drawn.paths.extend(draw_beside({name: seen, against: other}, target))
    for path in drawn.paths:
        out.print(str(path), soft_wrap=True, highlight=False)
    for picture, reason in drawn.missing.items():
        out.print(f"no {picture}: {reason}", soft_wrap=True, highlight=False)


@app.command()
def doctor(device: DeviceOption = Device.auto) -> None:
    """Measure this machine's limits and check versions, device and data."""
    table = Table("what", "value", title="vit-ablate doctor", title_justify="left")
    for name, value in diagnose(resolve_device(device)):
        table.add_row(name, str(value))
    for name in DATASETS:
        table.add_row(f"data set {name}", data_state(name))
    out.print(table)


def resolve_device(device: Device) -> str:
    """The device to use; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises:
        DesignError: it is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device is Device.auto:
        return next(name for name, available in there.items() if available)
    if not there[device]:
        choices = ", ".join(name for name, available in there.items() if available)
        raise DesignError(f"--device {device}: torch {torch.__version__} finds none here; choices: {choices}")
    return str(device)


def parse_labels(text: str) -> tuple[int, ...]:
    """``"3,7,8"`` to numbers.

    Raises:
        DesignError: something else.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise DesignError(f"--labels {text!r}: write numbers with commas between, for example 3,7,8") from None


def data_state(name: str) -> str:
    """Whether a data set can be read."""
    try:
        data = load(name)
    except DataError as error:
        return f"broken: {error}"
    return f"ok: {len(data.train):,} train, {len(data.val):,} validation, {len(data.test):,} test"


def default_workers(device: str) -> int:
    """One per core on a CPU; at most four beside a GPU."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if device == "cpu" else min(4, cores)


def _plan(name: str, seeds: int | None, quick: bool, settings: list[str] | None, device: Device) -> Plan:
    study: Study = STUDIES[name].as_quick() if quick else STUDIES[name]
    study = study.with_settings(parse_settings(settings or []))  # last: what was typed wins over --quick
    made = expand(study, resolve_device(device))
    check_data(made, load(made.dataset))  # a damaged file shows here too, before anything starts
    return made if seeds is None else Plan(**{**vars(made), "seeds": list(range(seeds))})


def _is_screen() -> bool:
    """Whether output can be redrawn in place; rich alone believes FORCE_COLOR, which CI sets."""
    return out.is_interactive and sys.stdout.isatty()


def _folder(results: Path, study: str) -> Path:
    """The results folder of a study, by its full name or by its beginning.

    Raises:
        LedgerError: there is none, or more than one.
    """
    if (results / study / "study.db").exists():
        return results / study
    found = sorted(path.parent for path in results.glob(f"{glob.escape(study)}-*-*/study.db"))
    if len(found) == 1:
        return found[0]
    here = ", ".join(path.parent.name for path in sorted(results.glob("*/study.db"))) or "none"
    which = "several" if found else "no"
    raise LedgerError(f"{which} studies called {study!r} in {results}; choices: {here}")


def _show(ledger: Ledger) -> None:
    published = publish(ledger)
    out.print(ranked_table(published.plan, published.cells, out.width))
    out.print(f"tables and figures: {published.folder}/README.md", soft_wrap=True, highlight=False)
