"""Options and arguments, each declared once."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from studies.cli.console import UsageError
from studies.cli.declaring import Baseline, DesignOption, Factors, StudyName, check_study
from studies.cli.devices import Device, DeviceOption
from studies.cli.images import Images
from studies.cli.known import check, known
from studies.ledger.folder import local

MOST_SEEDS, MOST_WORKERS, MOST_TOGETHER = 10_000, 1024, 1024
Seeds = Annotated[int | None, typer.Option(min=1, max=MOST_SEEDS, help="Seeds per arm.", show_default="the study's")]
FirstSeed = Annotated[
    int, typer.Option(min=0, max=2**31, help="Begin with this seed: others than a colleague's, to `merge` with.")
]
Quick = Annotated[bool, typer.Option("--quick", help="The same table from less training.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change a field of model or recipe for all arms; repeatable."),
]
Init = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        dir_okay=False,
        exists=True,
        help="Weights to start every arm from: a safetensors file.",
    ),
]
Results = Annotated[Path, typer.Option(help="Folder of all results.", file_okay=False, callback=local)]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, max=MOST_WORKERS, help="Worker processes, one torch thread each.", show_default="the cores, or the GPUs"
    ),
]
Executor = Annotated[
    str,
    typer.Option(
        metavar="local|ADDRESS",
        help="Where trials run: processes of this machine, or the workers of a Dask scheduler, tcp://HOST:8786.",
    ),
]
TrialsPerGpu = Annotated[int, typer.Option(min=1, max=64, help="Trials that share a GPU of a Dask worker.")]
Pack = Annotated[
    str,
    typer.Option(
        metavar="auto|N",
        help="Train up to N trials of one shape as one program; auto: small models on a GPU, by their size.",
    ),
]
UntilDecided = Annotated[
    bool,
    typer.Option("--until-decided", help="As many seeds as it takes, at planned looks, for arms still undecided."),
]
MaxSeeds = Annotated[int | None, typer.Option(min=2, max=MOST_SEEDS, help="Most seeds per arm.", show_default="30")]
MAX_SEEDS = 30
CHECKPOINT_SECONDS = 60.0
SECONDS = {"s": 1, "min": 60, "h": 3600}
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
StudyOrFolder = Annotated[str, typer.Argument(help="A study or a results folder.", metavar="STUDY")]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="VIT_ABLATE_STORAGE",
        help="A PostgreSQL that several machines share: postgresql+psycopg://USER@HOST/DATABASE; its password is "
        "looked up in PGPASSWORD and ~/.pgpass.",
        show_default="a file in the results folder",
    ),
]
MaybeStudy = Annotated[str | None, typer.Argument(help="A study or a results folder.", metavar="[STUDY]")]


@dataclass(frozen=True)
class Growing:
    """How many seeds a run is to have, where that is not known before.

    Args:
        until_decided: look at planned numbers of seeds, and go on with arms that are undecided.
        max_seeds: per arm.
        budget: of time, as typed; None for no end.
        look_once: nobody reads the tables before the last seed.

    Raises:
        UsageError: by `check`, two of them that exclude one another, or a budget that is no time.
    """

    until_decided: bool = False
    max_seeds: int | None = None
    budget: str | None = None
    look_once: bool = False

    def check(self, seeds: int | None, first: int = 0) -> None:
        """Refuse what cannot be meant, alone or together with ``--seeds`` and ``--first-seed``."""
        if (self.until_decided or self.budget) and first:
            raise UsageError(
                f"--first-seed {first} goes with a number of seeds: leave --until-decided and --budget out"
            )
        _ = self.seconds
        if self.until_decided and seeds is not None:
            raise UsageError(f"--until-decided finds the number of seeds itself: leave --seeds {seeds} out")
        if self.until_decided and self.look_once:
            raise UsageError("--until-decided looks several times: leave --look-once out")
        if self.max_seeds is not None and not (self.until_decided or self.budget):
            raise UsageError(
                f"--max-seeds {self.max_seeds} goes with --until-decided or --budget; --seeds fixes a number"
            )
        if self.budget and self.look_once:
            raise UsageError("--look-once plans its number of seeds, which --budget does not know: leave one out")

    @property
    def seconds(self) -> float:
        """The budget, ``"90s"``, ``"30min"``, ``"1.5h"``, in seconds; infinite without one."""
        if self.budget is None:
            return math.inf
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h)", self.budget.strip())
        if not found or not float(found[1]):
            raise UsageError(f"--budget {self.budget}: write a time such as 90s, 30min or 2h")
        return float(found[1]) * SECONDS[found[2]]

    @property
    def most(self) -> int:
        """Seeds per arm at the last look."""
        return self.max_seeds or MAX_SEEDS


@dataclass(frozen=True)
class Asked(Images):
    """Which study of which images, changed how, trained where: what `plan` and `run` are asked for.

    Raises:
        UsageError: no study, or one, a factor or a setting that is not known.
    """

    study: StudyName = None
    seeds: Seeds = None
    first_seed: FirstSeed = 0
    quick: Quick = False
    settings: Set = None
    init: Init = None
    factors: Factors = None
    baseline: Baseline = None
    design: DesignOption = None
    device: DeviceOption = Device.auto
    workers: Workers = None
    results: Results = Path("results")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.study is not None:
            check_study(self.study)
        elif not self.factors:
            raise UsageError(
                "say what to study: a name that `vit-ablate list` shows, a file that `vit-ablate new` writes, or "
                "--factor NAME=LEVEL,LEVEL"
            )
        check_settings(self.settings)
        check_settings(self.factors)


class WithChoices(TyperCommand):
    """A command whose help may say ``{presets}``: their names are looked up when its help is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """As any help, with the names filled in."""
        for option in self.params:
            option.help = re.sub(r"\{([\w ]+)\}", _names, getattr(option, "help", None) or "")  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def _names(match: re.Match[str]) -> str:
    return ", ".join(known().names[match[1]])


def check_settings(settings: list[str] | None) -> None:
    """Refuse names that neither model nor recipe has.

    Raises:
        UsageError: names the choices.
    """
    for text in settings or ():
        name, equals, _ = text.partition("=")
        if equals:
            check("setting", name.strip())


def default_workers(device: str) -> int:
    """One per core on a CPU; one a GPU where ``cuda`` means several; else at most four beside the one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if device == "cuda":
        from studies.running.gpus import visible_gpus

        if (gpus := len(visible_gpus())) > 1:
            return gpus
    return cores if device == "cpu" else min(4, cores)


def pack_size(text: str) -> int | None:
    """``"8" -> 8``; None for ``auto``.

    Raises:
        UsageError: neither.
    """
    if text == "auto":
        return None
    if not re.fullmatch(r"0*[1-9][0-9]{0,3}", text) or int(text) > MOST_TOGETHER:
        raise UsageError(
            f"--pack {text:.20}: write auto, 1 for every trial alone, or how many train together at most, "
            f"up to {MOST_TOGETHER:,}"
        )
    return int(text)
