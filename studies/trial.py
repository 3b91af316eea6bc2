"""One cell and seed: train, score, describe. Runs inside a worker process."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.meters import count_flops, host_peak
from studies.compute import resolve
from studies.data import DataSet, load
from studies.packed import fit_packed
from studies.provenance import source_state, versions
from studies.recipe import Recipe
from studies.train import Fit, Preparation, evaluate, fit
from studies.weights import save_weights
from vit import ViTConfig

OUT_OF_MEMORY = "out of memory"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a trial: a record, and the reason if it failed."""

    record: dict[str, Any]
    reason: str | None = None

    @property
    def out_of_memory(self) -> bool:
        """Whether it failed for want of memory, as ``explain`` says it."""
        return self.reason is not None and self.reason.startswith(OUT_OF_MEMORY)


@dataclasses.dataclass(frozen=True)
class Order:
    """One trial of a pack; the trained weights are kept where ``weights`` says."""

    recipe: Recipe
    seed: int
    weights: Path | None = None


def run_trial(
    config: ViTConfig, recipe: Recipe, dataset: str, seed: int, device: str, weights: Path | None = None
) -> Outcome:
    """Train and score one model; whatever goes wrong becomes the reason of a failed record.

    The trained weights are kept where ``weights`` says.
    """

    def train(data: DataSet) -> Sequence[Fit | Exception]:
        return [fit(config, recipe, data, seed, device)]

    (outcome,) = _run(config, [Order(recipe, seed, weights)], dataset, device, train)
    return outcome


def run_trials(config: ViTConfig, orders: Sequence[Order], dataset: str, device: str) -> list[Outcome]:
    """Train models of one configuration as one program, score each; what goes wrong in one fails that one.

    What ends the whole pack, lack of memory above all, is the reason of each.
    """

    def train(data: DataSet) -> Sequence[Fit | Exception]:
        recipes, seeds = [order.recipe for order in orders], [order.seed for order in orders]
        return fit_packed(config, recipes, data, seeds, device)

    return _run(config, orders, dataset, device, train)


def _run(
    config: ViTConfig,
    orders: Sequence[Order],
    dataset: str,
    device: str,
    train: Callable[[DataSet], Sequence[Fit | Exception]],
) -> list[Outcome]:
    """Records of trials that ``train`` trains together; seconds are each one's share."""
    started = time.perf_counter()
    known = [describe(config, order.recipe, order.seed, device, packed=len(orders)) for order in orders]
    try:
        data = load(dataset)
        if len(orders) == 1:  # a long one may be compiled, a pack never is
            steps = orders[0].recipe.num_steps(len(data.train))
            known[0] |= dataclasses.asdict(resolve(config, orders[0].recipe, device, steps))
        with host_peak() as memory:
            data = data.to(device)
            ends = [_end(fitted, order, dataset, data) for fitted, order in zip(train(data), orders, strict=True)]
        peak = {"host_memory_mib": memory.mib}
        ends = [Outcome(end.record | peak, None) if end.reason is None else end for end in ends]
    except Exception as error:  # one bad trial never ends a study
        ends = [Outcome({}, explain(error)) for _ in orders]
    share = {"wall_seconds": (time.perf_counter() - started) / len(orders)}
    return [Outcome(begin | end.record | share, end.reason) for begin, end in zip(known, ends, strict=True)]


def _end(fitted: Fit | Exception, order: Order, dataset: str, data: DataSet) -> Outcome:
    """The scores of a trained model, whose weights are kept if wanted, or why there are none."""
    try:
        if isinstance(fitted, Exception):
            raise fitted
        scores = _scores(fitted, order.recipe, data)
        if order.weights is not None:
            save_weights(fitted.model, order.weights, training_notes(order.recipe, dataset, order.seed))
    except Exception as error:
        return Outcome({}, explain(error))
    return Outcome(scores)


def describe(config: ViTConfig, recipe: Recipe, seed: int, device: str, packed: int = 1) -> dict[str, Any]:
    """Everything of the record that is known before the data are read; ``packed`` models train together."""
    return {
        **dataclasses.asdict(config),
        **dataclasses.asdict(recipe),
        "seed": seed,
        "num_tokens": config.num_tokens,
        "device": device,
        "packed": packed,
        "threads": torch.get_num_threads(),
        **dataclasses.asdict(resolve(config, recipe, device)),
        **versions(),
        **source_state(),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def explain(error: BaseException) -> str:
    """One line for the table."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in text:
        return f"{OUT_OF_MEMORY}: {text}"
    return f"{type(error).__name__}: {text}"


def _scores(fitted: Fit, recipe: Recipe, data: DataSet) -> dict[str, Any]:
    test = evaluate(fitted.model, data.test, Preparation(recipe, data))  # the only look at the test set
    last = fitted.curve[-1]
    if not math.isfinite(test.loss):
        raise FloatingPointError(f"test loss is {test.loss}")
    return {
        "params": fitted.model.num_params(),
        "flops": count_flops(fitted.model, data.image_shape),
        "val_accuracy": last.val_accuracy,
        "val_loss": last.val_loss,
        "test_accuracy": test.accuracy,
        "test_loss": test.loss,
        "train_loss": last.train_loss,
        "train_seconds": fitted.train_seconds,
        "compile_seconds": fitted.compile_seconds,
        "curve": [epoch.as_dict() for epoch in fitted.curve],
        "test_correct": pack(test.correct),
    }


def training_notes(recipe: Recipe, dataset: str, seed: int) -> dict[str, str]:
    """What a weights file says of its training, so that a reader can prepare images alike."""
    return {"dataset": dataset, "seed": str(seed), "recipe": json.dumps(dataclasses.asdict(recipe))}


def pack(correct: Tensor) -> str:
    """Booleans ``(n,)`` to short text: which test images were right, kept for every trial."""
    bits = np.packbits(correct.numpy())
    return f"{len(correct)}:{base64.b85encode(zlib.compress(bits.tobytes(), 9)).decode()}"


def unpack(text: str) -> Tensor:
    """The inverse of ``pack``."""
    size, _, packed = text.partition(":")
    bits = np.frombuffer(zlib.decompress(base64.b85decode(packed)), np.uint8)
    return torch.from_numpy(np.unpackbits(bits, count=int(size)).astype(bool))


def curve_of(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The learning curve of a record, empty if it failed before the first epoch."""
    return list(record.get("curve") or [])
