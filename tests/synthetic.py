"""A full study that never trained: the default plan with realistic records, for what reads results."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sqlalchemy import Engine, event

import studies.catalog  # noqa: F401  registers the studies
from studies.design.expand import expand
from studies.design.plan import Cell, Plan, Trial
from studies.design.study import STUDIES
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.trial.record import pack
from studies.trial.trial import describe

ABILITY = {"horizontal": 0.0, "vertical": -0.02, "tiles": 0.30}
ABILITY |= {"none": -0.9, "learned": 0.0, "sinusoidal": 0.05, "rope2d": 0.22} | {"cls": 0.0, "mean": 0.04}
SPEED = {"horizontal": 2.0, "vertical": 1.9, "tiles": 1.0}
SPEED |= {"none": 1.05, "learned": 1.0, "sinusoidal": 1.0, "rope2d": 0.8} | {"cls": 1.0, "mean": 1.12}
IMAGES = 10_000
REASON = "DivergedError: training loss is nan at step 311"


def plan(seeds: int = 5, name: str = "ablations", device: str = "cpu") -> Plan:
    """24 arms, and one that cannot be."""
    study = dataclasses.replace(STUDIES["ablations"], name=name, seeds=seeds)
    made = expand(study, device)
    levels = {"chunking": "tiles", "positional": "rope2d", "pooling": "max"}
    reason = "no pooling is called 'max'; choices: cls, mean, map"
    impossible = Cell("tiles/rope2d/max", levels, None, reason)
    return dataclasses.replace(made, cells=[*made.cells, impossible])


@contextmanager
def careless() -> Iterator[None]:
    """SQLite that does not wait for the disk: a thousand small writes in a second."""

    def hurry(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", hurry)
    try:
        yield
    finally:
        event.remove(Engine, "connect", hurry)


@careless()
def ledger(folder: Path, made: Plan | None = None, fail: bool = True, memory: bool = False) -> Ledger:
    """A storage in which every trial of a plan is over; one of them failed."""
    made = made or plan()
    found = ResultsFolder(folder).ledger(create=True)
    found.plan = made
    facts = {"cpu": "Abacus 9000", "cores": 2, "memory_gib": 16.0, "system": "Linux x86_64"}
    found.note("provenance", {"command": "vit-ablate run ablations", "workers": 2, "machine": facts})
    found.add_measurement({cell.content_hash: measured(cell, i, memory) for i, cell in enumerate(made.runnable)})
    difficulty = np.random.default_rng(0).normal(-3.2, 1.7, IMAGES)
    for number, trial in enumerate(made.trials):
        entry = found.enqueue(trial)
        found.claim(entry)
        known = describe(trial.setup, trial.seed, "cpu") | {"dirty": False}
        if fail and trial.cell.name == "vertical/none/cls" and trial.seed == 0:
            found.fail(entry, REASON, known)
        else:
            found.complete(entry, known | scores(trial, number, difficulty))
    return found


def scores(trial: Trial, number: int, difficulty: np.ndarray) -> dict[str, Any]:
    """What training would have found; seeds share some of their luck, and images their difficulty."""
    generator = np.random.default_rng([7, number])
    shared = np.random.default_rng([8, trial.seed]).normal(0, 0.04)
    ability = sum(ABILITY.get(level, 0.0) for level in trial.cell.levels.values())
    ability += 0.25 * (trial.cell.levels.get("positional") == "none" and trial.cell.levels.get("pooling") == "mean")
    ability += shared + generator.normal(0, 0.05)
    curve = []
    for epoch in range(1, trial.cell.recipe.epochs + 1):
        late = ability - 1.3 * (trial.cell.recipe.epochs - epoch) ** 0.8
        right = difficulty + generator.normal(0, 0.45, IMAGES) < late
        curve.append({"epoch": epoch, "val_accuracy": float(right.mean()), "val_loss": 2.5 * float(1 - right.mean())})
    correct = torch.from_numpy(right)
    accuracy = correct.double().mean().item()
    return {
        "val_accuracy": curve[-1]["val_accuracy"] - 0.001,
        "val_loss": curve[-1]["val_loss"],
        "test_accuracy": accuracy,
        "test_loss": 2.6 * (1 - accuracy),
        "train_loss": 0.1,
        "train_seconds": 180_000 / speed(trial.cell),
        "wall_seconds": 190_000 / speed(trial.cell),
        "host_memory_mib": 512.0,
        "params": 20_000 + 10 * number % 997,
        "flops": 2e5,
        "curve": curve,
        "test_correct": pack(correct),
    }


def speed(cell: Cell) -> float:
    """Images a second."""
    return 9_000.0 * float(np.prod([SPEED.get(level, 1.0) for level in cell.levels.values()]))


def measured(cell: Cell, number: int, memory: bool = False) -> dict[str, Any]:
    """Seven paired rounds of training and inference."""
    generator = np.random.default_rng([9, number])
    facts: dict[str, Any] = {"params": 20_000 + 40 * number, "flops": 200_000 + 9_000 * number}
    for kind, times in (("train", 1.0), ("infer", 4.0)):
        rounds = times * speed(cell) * np.exp(generator.normal(0, 0.03, 7))
        low, high = np.quantile(rounds, [0.25, 0.75])
        facts |= {
            f"{kind}_images_per_second": float(np.median(rounds)),
            f"{kind}_images_per_second_iqr": float(high - low),
            f"{kind}_rounds": rounds.tolist(),
        }
    mib = 40.0 + 60_000 / speed(cell) if memory else None
    source = "measured" if memory else "unavailable: no GPU"
    return facts | {"gpu_memory_mib": mib, "gpu_reserved_mib": mib, "gpu_memory_source": source}
