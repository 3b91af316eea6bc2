"""One cell and seed: train, score, describe. Runs inside a worker process."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import time
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.meters import count_flops, host_peak
from studies.compute import resolve
from studies.data import load
from studies.provenance import source_state, versions
from studies.recipe import Recipe
from studies.train import Preparation, evaluate, fit
from studies.weights import save_weights
from vit import ViT, ViTConfig


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a trial: a record, and the reason if it failed."""

    record: dict[str, Any]
    reason: str | None = None


def run_trial(
    config: ViTConfig, recipe: Recipe, dataset: str, seed: int, device: str, weights: Path | None = None
) -> Outcome:
    """Train and score one model; whatever goes wrong becomes the reason of a failed record.

    The trained weights are kept where ``weights`` says.
    """
    record = describe(config, recipe, seed, device)
    started = time.perf_counter()
    try:
        num_steps = recipe.num_steps(len(load(dataset).train))
        record |= dataclasses.asdict(resolve(config, recipe, device, num_steps))
        with host_peak() as memory:
            scores, model = _train_and_score(config, recipe, dataset, seed, device)
        if weights is not None:
            save_weights(model, weights, training_notes(recipe, dataset, seed))
        record |= scores
        record |= {"host_memory_mib": memory.mib}
        reason = None
    except Exception as error:  # one bad trial never ends a study
        reason = explain(error)
    return Outcome(record | {"wall_seconds": time.perf_counter() - started}, reason)


def describe(config: ViTConfig, recipe: Recipe, seed: int, device: str) -> dict[str, Any]:
    """Everything of the record that is known before the data are read: a long training may still be compiled."""
    return {
        **dataclasses.asdict(config),
        **dataclasses.asdict(recipe),
        "seed": seed,
        "num_tokens": config.num_tokens,
        "device": device,
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
        return f"out of memory: {text}"
    return f"{type(error).__name__}: {text}"


def _train_and_score(
    config: ViTConfig, recipe: Recipe, dataset: str, seed: int, device: str
) -> tuple[dict[str, Any], ViT]:
    data = load(dataset)
    fitted = fit(config, recipe, data, seed, device)
    data = data.to(device)
    test = evaluate(fitted.model, data.test, Preparation(recipe, data))  # the only look at the test set
    last = fitted.curve[-1]
    if not math.isfinite(test.loss):
        raise FloatingPointError(f"test loss is {test.loss}")
    scores = {
        "params": fitted.model.num_params(),
        "flops": count_flops(fitted.model, data.image_shape),
        "val_accuracy": last.val_accuracy,
        "val_loss": last.val_loss,
        "test_accuracy": test.accuracy,
        "test_loss": test.loss,
        "train_loss": last.train_loss,
        "train_seconds": fitted.train_seconds,
        "curve": [epoch.as_dict() for epoch in fitted.curve],
        "test_correct": pack(test.correct),
    }
    return scores, fitted.model


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
