"""Speed, memory and FLOPs of every cell, measured alone: no other worker runs, cells take turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from bench.meters import Timing, count_flops, interleaved, peak_memory
from studies.compute import Compute, resolve
from studies.data import DataSet, load
from studies.design import Cell
from studies.train import Preparation, train_step
from studies.trial import explain
from vit import ViT

INFER_BATCH = 256


@dataclass(frozen=True)
class Effort:
    """How long to measure: ``rounds`` rounds of ``round_seconds`` for training and for inference of a cell."""

    rounds: int
    round_seconds: float

    def seconds(self, num_cells: int) -> float:
        """About how long it takes, warm-up included."""
        return 3 + num_cells * (0.4 + 2 * self.round_seconds * (self.rounds + 2))


FULL = Effort(rounds=5, round_seconds=0.08)
BRIEF = Effort(rounds=5, round_seconds=0.03)


def measure_cells(cells: list[Cell], device: str, effort: Effort) -> dict[str, dict[str, Any]]:
    """Measurements by cell hash; a cell that cannot run has only a ``reason``.

    Seeds do not change speed, so one measurement serves all trials of a cell. Training is timed with its
    batch preparation, inference without; both on real images, in images per second.
    """
    torch.set_num_threads(1)
    found: dict[str, dict[str, Any]] = {}
    tasks: dict[str, Callable[[], object]] = {}
    for cell in cells:
        try:
            found[cell.content_hash], steps = _prepare(cell, device)
            tasks |= {f"{cell.content_hash} {kind}": step for kind, step in steps.items()}
        except Exception as error:  # recorded; the others are measured all the same
            found[cell.content_hash] = {"reason": explain(error)}
    if not tasks:
        return found
    timings = interleaved(tasks, device=device, rounds=effort.rounds, round_seconds=effort.round_seconds)
    for cell in cells:
        for kind, batch in (("train", cell.recipe.batch_size), ("infer", INFER_BATCH)):
            timing = timings.get(f"{cell.content_hash} {kind}")
            if timing is not None:
                found[cell.content_hash] |= _speed(kind, timing, batch)
    return found


def _prepare(cell: Cell, device: str) -> tuple[dict[str, Any], Mapping[str, Callable[[], object]]]:
    assert cell.config is not None
    data = load(cell.dataset).to(device)
    compute = resolve(cell.config, cell.recipe, device)
    model = ViT(cell.config).to(device).use_attention(compute.attention)
    facts: dict[str, Any] = {"params": model.num_params(), "flops": count_flops(model, data.image_shape)}
    train, infer = _train_task(model, cell, data, compute), _infer_task(model, cell, data)
    memory = peak_memory(train, device)
    facts |= {
        "gpu_memory_mib": memory.allocated_mib,
        "gpu_reserved_mib": memory.reserved_mib,
        "gpu_memory_source": memory.source,
    }
    train(), infer()  # an error shows here, outside the timing of the others
    return facts, {"train": train, "infer": infer}


def _train_task(model: ViT, cell: Cell, data: DataSet, compute: Compute) -> Callable[[], object]:
    prepare = Preparation(cell.recipe, data)
    optimizer = cell.recipe.build_optimizer(model.parameters())
    shifts = torch.Generator().manual_seed(0)
    index = torch.randperm(len(data.train), generator=shifts)[: cell.recipe.batch_size]
    forward = torch.compile(model) if compute.compile else model
    smoothing = cell.recipe.label_smoothing

    def task() -> object:
        model.train()
        return train_step(forward, optimizer, *prepare.batch(index, shifts), smoothing, compute.torch_dtype)

    return task


def _infer_task(model: ViT, cell: Cell, data: DataSet) -> Callable[[], object]:
    images = Preparation(cell.recipe, data).floats(data.val.images[:INFER_BATCH])

    @torch.inference_mode()
    def task() -> object:
        model.eval()
        return model(images)

    return task


def _speed(kind: str, timing: Timing, batch: int) -> dict[str, Any]:
    return {
        f"{kind}_images_per_second": timing.rate(batch),
        f"{kind}_images_per_second_iqr": timing.iqr / timing.median * timing.rate(batch),
        f"{kind}_noisy": timing.noisy,
        f"{kind}_rounds": [batch / seconds for seconds in timing.seconds],
    }
