"""Speed, memory and FLOPs of every cell, measured alone: no other worker runs, cells take turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from bench.files import machine_error
from bench.meters import Memory, Timing, count_flops, interleaved, peak_memory, predict_peak, train_step_builder
from studies.data import DataSet, load
from studies.design.plan import Cell
from studies.running.effort import Effort
from studies.training.batches import Preparation
from studies.training.compute import Compute
from studies.training.steps.choice import step_of
from studies.trial.record import explain
from vit import ViT

INFER_BATCH = 256


def measure_cells(
    cells: list[Cell], device: str, effort: Effort, memory: Mapping[str, dict[str, Any]] | None = None
) -> dict[str, dict[str, Any]]:
    """Measurements by cell hash; a cell that cannot run has only a ``reason``.

    Seeds do not change speed, so one measurement serves all trials of a cell. Training is timed with its
    batch preparation, inference without; both on real images, in images per second. ``memory`` is what ``memory_of``
    found, where it was asked before.

    Raises:
        MachineError: a disk is full or broken, or too many files are open: to be measured again.
    """
    torch.set_num_threads(1)
    memory = memory_of(cells, device) if memory is None else memory  # while no other cell holds any
    found: dict[str, dict[str, Any]] = {}
    tasks: dict[str, Callable[[], object]] = {}
    for cell in cells:
        try:
            facts, steps = _prepare(cell, device)
            found[cell.content_hash] = facts | memory[cell.content_hash]
            tasks |= {f"{cell.content_hash} {kind}": step for kind, step in steps.items()}
        except Exception as error:  # recorded; the others are measured all the same
            _raise_if_machine(error)
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
    data = load(cell.dataset).to(device)
    compute = cell.to_train.compute_on(device, len(data.train))
    model = ViT(cell.config).to(device).use_attention(compute.attention)
    facts: dict[str, Any] = {"params": model.num_params(), "flops": count_flops(model, data.image_shape)}
    train, infer = train_task(model, cell, data, compute), _infer_task(model, cell, data)
    train(), infer()  # an error shows here, outside the timing of the others
    return facts, {"train": train, "infer": infer}


def memory_of(cells: Iterable[Cell], device: str) -> dict[str, dict[str, Any]]:
    """By cell hash, what ``measure_cells`` says of memory: on a CPU reckoned, so that others may work meanwhile."""
    return {cell.content_hash: _memory(cell, device) for cell in cells}


def _memory(cell: Cell, device: str) -> dict[str, Any]:
    """Peak GPU memory of training this cell alone, with the data set that lies on the device meanwhile."""
    try:
        memory = _measured_memory(cell, device) if device.startswith("cuda") else _predicted_memory(cell)
    except Exception as error:  # speed is worth having all the same
        _raise_if_machine(error)
        memory = Memory(None, None, f"unavailable: {explain(error)}")
    return {
        "gpu_memory_mib": memory.allocated_mib,
        "gpu_reserved_mib": memory.reserved_mib,
        "gpu_memory_source": memory.source,
    }


def _raise_if_machine(error: Exception) -> None:
    """A full disk is no property of a cell, for which it would stand ever after."""
    if (lacking := machine_error(error)) is not None:
        raise lacking from error


def _measured_memory(cell: Cell, device: str) -> Memory:
    data = load(cell.dataset).to(device)
    compute = cell.to_train.compute_on(device, len(data.train))
    model = ViT(cell.config).to(device).use_attention(compute.attention)
    # eager, as predicted: a graph's own memory is not counted while it is replayed
    return peak_memory(train_task(model, cell, data, compute, as_graph=False), device)


def _predicted_memory(cell: Cell) -> Memory:
    """For a CUDA device, whatever device there is: with the attention and number format chosen there."""
    data = load(cell.dataset)
    compute = cell.to_train.compute_on("cuda", len(data.train))

    def eager(model: ViT) -> Callable[[Tensor, Tensor], object]:
        return step_of(model, cell.recipe, replace(compute, compile=False), "cpu", as_graph=False)[0]

    build = train_step_builder(cell.config, cell.recipe.batch_size, eager, compute.attention)
    memory = predict_peak(build, resident_bytes(data))
    return replace(memory, source=f"predicted (CUDA, {compute.attention} in {compute.dtype}, eager)")


def resident_bytes(data: DataSet) -> int:
    """What a training keeps on its device: all splits, uint8."""
    splits = (data.train, data.val, data.test)
    return sum(split.images.nbytes + split.labels.nbytes for split in splits)


def train_task(model: ViT, cell: Cell, data: DataSet, compute: Compute, as_graph: bool = True) -> Callable[[], object]:
    """A training step with its batch, as ``fit`` takes it: on a GPU from a CUDA graph."""
    prepare = Preparation(cell.recipe, data)
    shifts = torch.Generator().manual_seed(0)
    index = torch.randperm(len(prepare.train), generator=shifts)[: cell.recipe.batch_size]
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
