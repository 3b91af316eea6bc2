"""One cell and seed: train, score, describe. Runs inside a worker process."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bench.files import machine_error
from bench.meters import count_flops, host_peak
from studies.data import DataSet, load
from studies.data.dataset import UNEQUAL
from studies.training.batches import Preparation
from studies.training.compute import Compute
from studies.training.curves import Fit
from studies.training.fit import fit, fit_packed
from studies.training.initial import start_from
from studies.training.recipe import Recipe
from studies.training.score import evaluate
from studies.training.upkeep import Upkeep
from studies.training.weights import save_weights
from studies.trial.care import NO_CARE, Care, Order
from studies.trial.plugins import used_by
from studies.trial.provenance import source_state, versions
from studies.trial.record import Outcome, explain, pack
from studies.trial.setup import Setup
from studies.trial.traces import trace_of
from vit import ViT

Train = Callable[[DataSet, Compute, Upkeep], Sequence[Fit | Exception]]
"""Trains what was ordered, on data that lie on the device."""


def run_trial(setup: Setup, seed: int, device: str, weights: Path | None = None, care: Care = NO_CARE) -> Outcome:
    """Train and score one model; whatever goes wrong becomes the reason of a failed record.

    The trained weights are kept where ``weights`` says, or a note says why they are not.

    Raises:
        MachineError: the disk is full or broken, or too many files are open: the trial is to be run again.
    """

    def train(data: DataSet, compute: Compute, upkeep: Upkeep) -> Sequence[Fit | Exception]:
        return [fit(setup.config, setup.recipe, data, seed, compute, device, upkeep=upkeep)]

    (outcome,) = _run([Order(setup, seed, weights)], device, train, care, packed=False)
    return outcome


def run_trials(orders: Sequence[Order], device: str, care: Care = NO_CARE) -> list[Outcome]:
    """Train models of one configuration as one program, score those wanted; what goes wrong in one fails that one.

    What ends the whole pack, lack of memory above all, is the reason of each.

    Raises:
        MachineError: as ``run_trial``.
    """
    config, recipes = orders[0].setup.config, [order.setup.recipe for order in orders]

    def train(data: DataSet, compute: Compute, upkeep: Upkeep) -> Sequence[Fit | Exception]:
        if len({(order.setup.config, order.setup.dataset) for order in orders}) > 1:
            raise ValueError("trials of one pack must share their model and their data set")
        return fit_packed(config, recipes, data, [order.seed for order in orders], compute, device, upkeep)

    return _run(orders, device, train, care, packed=True)


def _run(orders: Sequence[Order], device: str, train: Train, care: Care, packed: bool) -> list[Outcome]:
    """Records of those wanted of the trials that ``train`` trains together; seconds are each one's share."""
    started, setup, upkeep = time.perf_counter(), orders[0].setup, Upkeep(limit=care.limit)
    wanted = [order for order in orders if order.wanted]
    known = [describe(order.setup, order.seed, device, packed=len(orders)) for order in wanted]
    try:
        data = load(setup.dataset)
        compute = care.arithmetic or setup.compute_on(device, len(data.train), packed)
        upkeep = care.upkeep(orders, compute, device)
        known = [begin | dataclasses.asdict(compute) for begin in known]
        with host_peak() as memory:
            data = data.to(device)
            fits = zip(train(data, compute, upkeep), orders, strict=True)
            ends = [_end(fitted, order, data, upkeep) for fitted, order in fits if order.wanted]
        peak = {"host_memory_mib": memory.mib}
        ends = [Outcome(end.record | peak, None) if end.reason is None else end for end in ends]
    except Exception as error:  # one bad trial never ends a study
        ends = [failed(error) for _ in wanted]
    finally:
        upkeep.sign.over()
    share = {"wall_seconds": (time.perf_counter() - started + upkeep.earlier) / len(orders)}
    share |= upkeep.told()
    return [Outcome(begin | end.record | share, end.reason, end.trace) for begin, end in zip(known, ends, strict=True)]


def _end(fitted: Fit | Exception, order: Order, data: DataSet, upkeep: Upkeep) -> Outcome:
    """The scores of a trained model, whose weights are kept if wanted, or why there are none."""
    try:
        if isinstance(fitted, Exception):
            raise fitted
        scores = _scores(fitted, order.setup.recipe, data)
    except Exception as error:
        return failed(error)
    if order.weights is not None:
        try:
            save_weights(fitted.model, order.weights, training_notes(order.setup, order.seed))
        except Exception as error:  # what was trained and scored counts without them
            upkeep.notes.append(f"weights of seed {order.seed} are not kept: {explain(error)}")
    return Outcome(scores)


def failed(error: Exception) -> Outcome:
    """Of a trial that an error ended.

    Raises:
        MachineError: it was not the trial's fault.
    """
    if (lacking := machine_error(error)) is not None:
        raise lacking from error
    return Outcome({}, explain(error), trace_of(error))


def describe(setup: Setup, seed: int, device: str, packed: int = 1) -> dict[str, Any]:
    """Everything of the record that is known before the data are read; ``packed`` models train together.

    Of the arithmetic it has what the recipe asks for; once it is resolved, its fields take that place.
    """
    own = used_by(setup.config, setup.recipe, setup.dataset)
    return {
        **dataclasses.asdict(setup.config),
        **dataclasses.asdict(setup.recipe),
        "seed": seed,
        "num_tokens": setup.config.num_tokens,
        "device": device,
        "packed": packed,
        "threads": torch.get_num_threads(),
        **versions(),
        **({"plugins": ", ".join(map(str, own))} if own else {}),
        **source_state(),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _scores(fitted: Fit, recipe: Recipe, data: DataSet) -> dict[str, Any]:
    test = evaluate(fitted.model, data.test, Preparation(recipe, data))  # the only look at the test set
    last = fitted.curve[-1]
    if not math.isfinite(test.loss):
        raise FloatingPointError(f"test loss is {test.loss}")
    # where classes are equal it says the same as accuracy
    balanced = {"test_balanced_accuracy": test.balanced_accuracy} if data.test.imbalance >= UNEQUAL else {}
    return {
        **({"started_from": str(start_from(recipe.init, ViT(fitted.model.config)))} if recipe.init else {}),
        "params": fitted.model.num_params(),
        "flops": count_flops(fitted.model, data.image_shape),
        "val_accuracy": last.val_accuracy,
        "val_loss": last.val_loss,
        "test_accuracy": test.accuracy,
        **balanced,
        "test_loss": test.loss,
        "train_loss": last.train_loss,
        "train_seconds": fitted.train_seconds,
        "compile_seconds": fitted.compile_seconds,
        "curve": [epoch.as_dict() for epoch in fitted.curve],
        "test_correct": pack(test.correct),
    }


def training_notes(setup: Setup, seed: int) -> dict[str, str]:
    """What a weights file says of its training, so that a reader can prepare images alike."""
    return {"dataset": setup.dataset, "seed": str(seed), "recipe": json.dumps(dataclasses.asdict(setup.recipe))}
