"""Speed, memory and FLOPs of every cell, measured alone: no other worker runs, cells take turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from bench.meters import Memory, Timing, count_flops, interleaved, peak_memory, predict_peak, training
from studies.compute import Compute, resolve
from studies.data import DataSet, load
from studies.design import Cell
from studies.recipe import Recipe
from studies.train import Preparation, step_of, train_step
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
        return 3 + num_cells * (0.7 + 2 * self.round_seconds * (self.rounds + 2))


FULL = Effort(rounds=5, round_seconds=0.08)
BRIEF = Effort(rounds=5, round_seconds=0.03)


def measure_cells(cells: list[Cell], device: str, effort: Effort) -> dict[str, dict[str, Any]]:
    """Measurements by cell hash; a cell that cannot run has only a ``reason``.

    Seeds do not change speed, so one measurement serves all trials of a cell. Training is timed with its
    batch preparation, inference without; both on real images, in images per second.
    """
    torch.set_num_threads(1)
    memory = {cell.content_hash: _memory(cell, device) for cell in cells}  # while no other cell holds any
    found: dict[str, dict[str, Any]] = {}
    tasks: dict[str, Callable[[], object]] = {}
    for cell in cells:
        try:
            facts, steps = _prepare(cell, device)
            found[cell.content_hash] = facts | memory[cell.content_hash]
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
    compute = resolve(cell.config, cell.recipe, device, cell.recipe.num_steps(len(data.train)))
    model = ViT(cell.config).to(device).use_attention(compute.attention)
    facts: dict[str, Any] = {"params": model.num_params(), "flops": count_flops(model, data.image_shape)}
    train, infer = train_task(model, cell, data, compute), _infer_task(model, cell, data)
    train(), infer()  # an error shows here, outside the timing of the others
    return facts, {"train": train, "infer": infer}


def _memory(cell: Cell, device: str) -> dict[str, Any]:
    """Peak GPU memory of training this cell alone, with the data set that lies on the device meanwhile."""
    try:
        memory = _measured_memory(cell, device) if device.startswith("cuda") else _predicted_memory(cell)
    except Exception as error:  # speed is worth having all the same
        memory = Memory(None, None, f"unavailable: {explain(error)}")
    return {
        "gpu_memory_mib": memory.allocated_mib,
        "gpu_reserved_mib": memory.reserved_mib,
        "gpu_memory_source": memory.source,
    }


def _measured_memory(cell: Cell, device: str) -> Memory:
    assert cell.config is not None
    compute = resolve(cell.config, cell.recipe, device)
    model = ViT(cell.config).to(device).use_attention(compute.attention)
    # eager, as predicted: a graph's own memory is not counted while it is replayed
    return peak_memory(train_task(model, cell, load(cell.dataset).to(device), compute, as_graph=False), device)


def _predicted_memory(cell: Cell) -> Memory:
    """For a CUDA device, whatever device there is: with the attention and number format chosen there."""
    assert cell.config is not None
    compute = resolve(cell.config, cell.recipe, "cuda")
    step = partial(train_step, label_smoothing=cell.recipe.label_smoothing, dtype=compute.torch_dtype)
    build = training(cell.config, cell.recipe.batch_size, step, cell.recipe.build_optimizer, compute.attention)
    memory = predict_peak(build, resident_bytes(load(cell.dataset), cell.recipe))
    return replace(memory, source=f"predicted (CUDA, {compute.attention} in {compute.dtype}, eager)")


def resident_bytes(data: DataSet, recipe: Recipe) -> int:
    """What a training keeps on its device: all splits, uint8, and the training images padded for translation."""
    splits = (data.train, data.val, data.test)
    n, c, h, w = data.train.images.shape
    padded = n * c * (h + 2 * recipe.max_translation) * (w + 2 * recipe.max_translation)
    return padded + sum(split.images.nbytes + split.labels.nbytes for split in splits)


def train_task(model: ViT, cell: Cell, data: DataSet, compute: Compute, as_graph: bool = True) -> Callable[[], object]:
    """A training step with its batch, as ``fit`` takes it: on a GPU from a CUDA graph."""
    prepare = Preparation(cell.recipe, data)
    shifts = torch.Generator().manual_seed(0)
    index = torch.randperm(len(data.train), generator=shifts)[: cell.recipe.batch_size]
    step, _ = step_of(model, cell.recipe, compute, str(data.train.images.device), as_graph)

    def task() -> object:
        model.train()
        return step(*prepare.batch(index, shifts))

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
