"""Seconds of a trial before anything ran: from the shape of its model and rates stated here, or from finished trials.

The rates describe one thread of the processor of the committed results (AMD EPYC, Zen 5) and are least squares over
their measured speeds, 35 arms of studies (24 of them a run of `ablations` that results of another machine have since
replaced) and 10 of results/published/peers-cpu eager, 18 and 10 compiled. Of those,
``tests/running/test_estimate.py`` holds: a speed is estimated within ``SPEED_WITHIN`` of the measured one, and a
trial took ``TRIAL_TOOK`` times its estimate, most of that because two workers and the neighbours of a shared machine
slow each other. Another processor is off by its own speed; ``vit-ablate plan --measure`` times it.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from studies.design.plan import Cell
from studies.training.compute import Compute
from vit import ViTConfig

OVERHEAD_SECONDS = 0.5
"""Of a trial beside its training steps: scoring, mostly. Compiling, 13 to 32 s a worker, is not in it."""
FITTED_ON = "AMD EPYC"
"""The processor whose published results the rates were fitted to."""
SPEED_WITHIN = 1.6
TRIAL_TOOK = (0.6, 2.8)


@dataclass(frozen=True)
class Rates:
    """Milliseconds that the parts of a training step take."""

    block: float
    """Calling a block, whatever its size."""
    kilo_images: float
    """Preparing 1,000 images."""
    mega_values: float
    """A million values of tokens in one block: everything that is bound by memory."""
    giga_flop: dict[str, float]
    """10^9 operations of matrix products, by number format."""


EAGER = Rates(1.65, 4.43, 18.95, {"float32": 8.08, "bfloat16": 4.68})
COMPILED = Rates(0.51, 2.56, 14.24, {"float32": 7.69, "bfloat16": 4.85})


def step_seconds(config: ViTConfig, batch_size: int, compute: Compute) -> float:
    """Of one training step on one thread of a CPU."""
    rates = COMPILED if compute.compile else EAGER
    values = batch_size * config.num_tokens * config.embed_dim * config.depth
    return 1e-3 * (
        rates.block * config.depth
        + rates.kilo_images * batch_size / 1e3
        + rates.mega_values * values / 1e6
        + rates.giga_flop[compute.dtype] * batch_size * training_flop(config) / 1e9
    )


def training_flop(config: ViTConfig) -> float:
    """Operations of the matrix products in the blocks, forward and backward, for one image."""
    n, d = config.num_tokens, config.embed_dim
    linear = 2 * (4 + 2 * config.mlp_ratio) * d * d * n
    attention = 4 * n * n * d
    return 3 * config.depth * (linear + attention)


def estimated_seconds(cell: Cell, num_images: int) -> float:
    """Of one trial alone on one thread of a CPU.

    Raises:
        RecipeError: there is not one whole batch.
    """
    num_steps = cell.recipe.num_steps(num_images)
    compute = cell.to_train.compute_on("cpu", num_images)
    return OVERHEAD_SECONDS + num_steps * step_seconds(cell.config, cell.recipe.batch_size, compute)


def expected_seconds(cell: Cell, measured: dict[str, Any], num_images: int) -> float:
    """Seconds of one worker for one trial of this cell, from its measured training speed."""
    speed = measured.get(cell.content_hash, {}).get("train_images_per_second")
    return OVERHEAD_SECONDS + (cell.recipe.epochs * cell.recipe.images_of(num_images) / speed if speed else 0.0)


def taken_seconds(tables: Iterable[Path], device: str) -> dict[str, float]:
    """Median seconds of the finished trials of every cell, by cell hash, in files ``runs.csv``; the first file counts.

    What cannot be read as such a file tells nothing.
    """
    found: dict[str, float] = {}
    for path in tables:
        try:
            found = _medians(path, device) | found
        except (OSError, ValueError, KeyError, csv.Error):
            continue
    return found


def _medians(path: Path, device: str) -> dict[str, float]:
    seconds = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["status"] == "complete" and row["device"] == device and row["wall_seconds"]:
                seconds[row["config_hash"]].append(float(row["wall_seconds"]))
    return {name: median(values) for name, values in seconds.items()}
