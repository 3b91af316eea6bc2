"""What the commands share: consoles, exit codes, options, and how a study, folder or device is found."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

import studies.catalog  # noqa: F401  registers the studies
from studies.data import DATASETS, load
from studies.design import STUDIES, DesignError, Plan, Study, check_data, expand, parse_settings
from studies.ledger import Ledger, LedgerError
from studies.report import Published, publish
from studies.screen import ranked_table

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Which design choices of a Vision Transformer matter on your images, and how sure can you be?",
)
out = Console()
err = Console(stderr=True)

WORSE, USAGE, FAILED_TRIALS, INTERRUPTED = 1, 2, 3, 130


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
Pack = Annotated[
    str,
    typer.Option(
        metavar="auto|N",
        help="Train up to N trials of one shape as one program; auto: on a GPU, as many as a short timing favours.",
    ),
]
StudyOrFolder = Annotated[str, typer.Argument(help="A study or a results folder.", metavar="STUDY")]


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


def pack_size(text: str) -> int | None:
    """``"8" -> 8``; None for ``auto``.

    Raises:
        DesignError: neither.
    """
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise DesignError(f"--pack {text}: write auto, 1 for every trial alone, or how many train together at most")
    return int(text)


def default_workers(device: str) -> int:
    """One per core on a CPU; at most four beside a GPU."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if device == "cpu" else min(4, cores)


def plan_of(name: str, seeds: int | None, quick: bool, settings: list[str] | None, device: Device) -> Plan:
    """The study as asked for on the command line, checked against its data."""
    study: Study = STUDIES[name].as_quick() if quick else STUDIES[name]
    study = study.with_settings(parse_settings(settings or []))  # last: what was typed wins over --quick
    made = expand(study, resolve_device(device))
    check_data(made, load(made.dataset))  # a damaged file shows here too, before anything starts
    return made if seeds is None else Plan(**{**vars(made), "seeds": list(range(seeds))})


def is_screen() -> bool:
    """Whether output can be redrawn in place; rich alone believes FORCE_COLOR, which CI sets."""
    return out.is_interactive and sys.stdout.isatty()


def folder_of(results: Path, study: str) -> Path:
    """The results folder of a study, by its full name or by its beginning.

    Raises:
        LedgerError: there is none, or more than one.
    """
    named = [results / study, *(results / f"{study}-{d}-{place}" for d in DATASETS for place in Device)]
    found = [folder for folder in named if (folder / "study.db").exists() or (folder / "runs.csv").exists()]
    if len(found) == 1:
        return found[0]
    choices = [path for path in sorted(results.glob("*")) if (path / "runs.csv").exists()]
    which = "several" if found else "no"
    names = ", ".join(path.name for path in found or choices) or "none"
    raise LedgerError(f"{which} studies called {study!r} in {results}; choices: {names}")


def show(ledger: Ledger, galleries: bool = False) -> None:
    """Write the results folder and print the ranked arms."""
    with out.status("writing tables, figures and the report"):
        published = publish(ledger, galleries)
    show_published(published)


def show_published(published: Published) -> None:
    """Print the ranked arms and where the rest is."""
    out.print(ranked_table(published.plan, published.cells, out.width))
    out.print(f"tables and figures: {published.folder}/README.md and report.html", soft_wrap=True, highlight=False)
