"""A study small enough for tests: real MNIST, a model of two strips, one pass in big batches."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studies import cli
from studies.design.expand import expand
from studies.design.plan import Plan, Trial
from studies.design.study import Study
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.ledger.urls import file_of
from studies.running.effort import Effort
from studies.running.processes import ProcessExecutor
from studies.running.progress import Observer
from studies.running.runner import Runner
from studies.training.recipe import Recipe
from studies.trial.record import Outcome, pack
from studies.trial.setup import Setup
from studies.trial.trial import describe, run_trial, run_trials
from vit import ViTConfig

MODEL = ViTConfig(chunking="horizontal", patch_size=14, embed_dim=8, depth=1, num_heads=1)
RECIPE = Recipe(epochs=1, batch_size=1000, learning_rate=0.01)
SETTINGS = {
    "chunking": "horizontal",
    "patch_size": 14,
    "embed_dim": 8,
    "depth": 1,
    "num_heads": 1,
    "epochs": 1,
    "batch_size": 1000,
}
BRIEFLY = Effort(rounds=1, round_seconds=0.001)
OUTCOME = ("val_accuracy", "val_loss", "test_accuracy", "test_loss", "train_loss", "test_correct")


def study(factors: dict[str, Any], **changes: Any) -> Study:
    declared = {"name": "tiny", "question": "Does it run?", "base": MODEL, "recipe": RECIPE, "seeds": 2}
    return Study(**{**declared, "factors": factors, **changes})


def plan(factors: dict[str, Any], **changes: Any) -> Plan:
    return expand(study(factors, **changes), "cpu")


def settings(**changes: Any) -> list[str]:
    """The arguments that make a study of the catalog tiny."""
    return [word for name, value in {**SETTINGS, **changes}.items() for word in ("--set", f"{name}={value}")]


def run(plan: Plan, folder: Path, workers: int = 2, observer: Observer | None = None, **options: Any) -> Ledger:
    place = ResultsFolder(folder)
    ledger = place.ledger(create=True)
    Runner(plan, ledger, place, ProcessExecutor(workers), BRIEFLY, observer, **options).run()
    return ledger


def home(ledger: Ledger) -> ResultsFolder:
    """Where an embedded ledger lies."""
    file = file_of(ledger.url)
    assert file is not None
    return ResultsFolder(file.parent)


def states(ledger: Ledger) -> dict[str, int]:
    found = [entry.state for entry in ledger.entries().values()]
    return {state: found.count(state) for state in sorted(set(found))}


def outcomes(ledger: Ledger) -> dict[str, dict[str, Any]]:
    """What training decides, by trial."""
    return {entry.content_hash: decided(entry.record) for entry in ledger.entries().values()}


def decided(record: dict[str, Any]) -> dict[str, Any]:
    """What training decides of a record: without times, memory and place."""
    curve = [{k: v for k, v in point.items() if k != "seconds"} for point in record["curve"]]
    return {name: record[name] for name in OUTCOME} | {"curve": curve}


def until(condition: Callable[[], Any], what: str, seconds: float = 400) -> Any:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def vit_ablate(*words: str) -> int:
    """The command in this process: its exit code; pytest captures the output."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["vit-ablate", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return int(ended.value.code or 0)


def start(output: Path, *words: str) -> subprocess.Popen[str]:
    """The command in a process of its own, at the head of a process group, as a shell starts it."""
    command = [sys.executable, "-c", "from studies.cli import main; main()", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with output.open("w") as file:
        return subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
        )


# What workers run instead of `run_trial` in some tests; they import this module.


def killed_on_wide_tiles(setup: Setup, *more: Any) -> Outcome:
    """Dies in the middle, as if the system were out of memory, for one arm of the study `trouble`."""
    if setup.config.patch_size == (14, 28) and setup.recipe.learning_rate < 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return run_trial(setup, *more)


def marked(*all_of_it: Any) -> Outcome:
    """Leaves a file named by its process when the trial begins."""
    (Path(os.environ["TINY_MARKS"]) / str(os.getpid())).touch()
    return run_trial(*all_of_it)


def slowed(setup: Setup, seed: int, *more: Any) -> Outcome:
    """A real trial that takes TINY_SLOW seconds longer, and leaves files that say where it began and ended."""
    seconds, marks = float(os.environ["TINY_SLOW"]), Path(os.environ["TINY_MARKS"])
    mark = marks / f"{'slow' if seconds else 'fast'}-{setup.trial_hash(seed)}"
    mark.touch()
    time.sleep(seconds)
    outcome = run_trial(setup, seed, *more)
    mark.with_name(f"trained-{mark.name}").touch()
    return outcome


def marked_pack(*all_of_it: Any) -> list[Outcome]:
    """As `marked`, for the trials of a pack."""
    (Path(os.environ["TINY_MARKS"]) / str(os.getpid())).touch()
    return run_trials(*all_of_it)


class KillOnce(Observer):
    """Kills one worker, with SIGKILL, in the middle of a trial; needs `marked`."""

    def __init__(self) -> None:
        self.victim: int | None = None
        self.again: list[tuple[str, int]] = []
        self.order: list[str] = []
        self.divisions: list[tuple[int, int, str]] = []

    def started(self, trial: Trial) -> None:
        self.order.append(trial.content_hash)

    def requeued(self, trial: Trial, attempt: int) -> None:
        self.again.append((trial.content_hash, attempt))

    def divided(self, trials: list[Trial], together: int, why: str) -> None:
        self.divisions.append((len(trials), together, why))

    def tick(self) -> None:
        marks = list(Path(os.environ["TINY_MARKS"]).iterdir())
        if self.victim is None and marks:
            self.victim = int(marks[0].name)
            os.kill(self.victim, signal.SIGKILL)


def filled(folder: Path) -> Ledger:
    """A storage with known numbers: complete, failed and waiting trials, an impossible arm, tuples as levels."""
    made = plan(
        {"patch_size": (14, (14, 28), 5), "pooling": ("cls", "mean")},
        base=MODEL.replace(chunking="tiles"),
        seeds=3,
    )
    ledger = ResultsFolder(folder).ledger(create=True)
    ledger.plan = made
    ledger.note("provenance", {"command": "vit-ablate run tiny", "workers": 2, "machine": {"cpu": "Abacus 1"}})
    ledger.add_measurement({cell.content_hash: measured(i) for i, cell in enumerate(made.runnable)})
    for i, trial in enumerate(made.trials):
        entry = ledger.enqueue(trial)
        if trial.cell.name == "14x28/mean" and trial.seed == 2:
            continue  # waits
        ledger.claim(entry)
        if trial.cell.name == "14/mean" and trial.seed == 1:
            ledger.fail(entry, "DivergedError: training loss is nan", described(trial))
        else:
            ledger.complete(entry, described(trial) | scored(i))
    return ledger


def measured(i: int) -> dict[str, Any]:
    speeds = {f"{kind}_images_per_second": 1000.0 * (i + 1) for kind in ("train", "infer")}
    spreads = {f"{kind}_images_per_second_iqr": 10.0 for kind in ("train", "infer")}
    memory = {"gpu_memory_mib": None, "gpu_reserved_mib": None, "gpu_memory_source": "unavailable: no GPU"}
    return {**speeds, **spreads, **memory, "params": 100 * (i + 1), "flops": 2e6}


def described(trial: Trial) -> dict[str, Any]:
    compute = trial.setup.compute_on("cpu", 50_000)
    return describe(trial.setup, trial.seed, "cpu") | dataclasses.asdict(compute)


def scored(i: int) -> dict[str, Any]:
    correct = torch.arange(1000) < 900 + 7 * i % 50
    accuracy = correct.float().mean().item()
    curve = [{"epoch": n, "val_loss": 1 / n, "val_accuracy": accuracy} for n in (1, 2)]
    return {
        "val_accuracy": accuracy - 0.01,
        "test_accuracy": accuracy,
        "val_loss": 0.2,
        "test_loss": 0.1,
        "train_loss": 0.3,
        "train_seconds": 1.5,
        "wall_seconds": 2.0,
        "curve": curve,
        "test_correct": pack(correct),
    }
