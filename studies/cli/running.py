"""Commands that run: list, plan, run, status, train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.table import Table

from studies.cli.console import (
    FAILED_TRIALS,
    INTERRUPTED,
    USAGE,
    Device,
    DeviceOption,
    Pack,
    Quick,
    Results,
    Seeds,
    Set,
    StudyName,
    Workers,
    app,
    default_workers,
    err,
    folder_of,
    is_screen,
    out,
    pack_size,
    plan_of,
    resolve_device,
    show,
)
from studies.compute import resolve
from studies.data import load
from studies.design import STUDIES, apply, expand, parse_settings
from studies.ledger import Ledger
from studies.measure import BRIEF, FULL, Effort, measure_cells
from studies.recipe import Recipe
from studies.runner import Runner, expected_seconds
from studies.screen import LiveScreen, PlainScreen, duration, percent
from studies.train import Epoch, Preparation, evaluate, fit
from vit import PRESETS


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
    made = plan_of(study, seeds, quick, settings, device)
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
    pack: Pack = "auto",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed trials again.")] = False,
) -> None:
    """Run a study, or go on with it: finished trials are not run again."""
    together, made = pack_size(pack), plan_of(study, seeds, quick, settings, device)
    ledger = Ledger(results / made.folder, create=True)
    screen = LiveScreen(out, made, ledger.entries().values()) if is_screen() else PlainScreen(out)
    count, effort = workers or default_workers(made.device), BRIEF if quick else FULL
    runner = Runner(made, ledger, count, effort, screen, retry_failed, together)
    with screen:
        progress = runner.run()
    show(ledger, galleries=not (quick or runner.stop.presses))
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
    folders = [folder_of(results, study)] if study else sorted(path.parent for path in results.glob("*/study.db"))
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
    out.print(f"computed in {resolve(config, recipe, place, recipe.num_steps(len(data.train)))}", highlight=False)

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
