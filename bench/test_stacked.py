"""Many seeds as one program against one seed: the notebook's net, with a CUDA graph where there is a GPU.

`pytest bench` takes a step of each; `pytest bench --benchmark-enable` measures and writes stacked.csv and .md.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from bench.conftest import BENCH
from bench.doctor import provenance
from bench.tables import write_both
from bench.timing import Task, Timing, interleaved, paired_ratio
from studies.data import load
from studies.design.plan import Cell
from studies.running.measure import train_task
from studies.running.pack_timing import pack_task
from studies.training.recipe import Recipe
from studies.trial.setup import Setup
from vit import PRESETS, ViT

MODELS = (1, 2, 8, 32)
CELL = Cell("notebook", {}, Setup(PRESETS["notebook"], Recipe(max_translation=2), "mnist"))
BURST = 0.05
"""Seconds: a GPU that is waited for every few steps would be timed by the waiting."""
TITLE = """# Many seeds as one program

A training step of so many models (the notebook's net, batches of 128 with their preparation) against one of one
model by itself, in one run, with the 95 % interval of the ratio. `models gain` is how many times more models a
second are trained than one by one; on an H100 we aim at 32 in twice the time of one. `cuda graph` is what studies use
on a GPU, `eager` what they use elsewhere. On a CPU `bench/test_packs.py` says more.
"""


def kinds(device: str) -> list[str]:
    return ["eager", "cuda graph"] if device.startswith("cuda") else ["eager"]


def alone(device: str, kind: str) -> Task:
    data = load(CELL.dataset).to(device)
    compute = CELL.to_train.compute_on(device, len(data.train))
    model = ViT(CELL.config).to(device).use_attention(compute.attention)
    return train_task(model, CELL, data, compute, as_graph=kind == "cuda graph")


def row(kind: str, models: int, timing: Timing, one: Timing) -> dict[str, Any]:
    ratio = paired_ratio(timing, one)
    return {
        "step": kind,
        "models": models,
        "milliseconds": 1000 * timing.median,
        "one_milliseconds": 1000 * one.median,
        "times_one": ratio.ratio,
        "low": ratio.low,
        "high": ratio.high,
        "models_gain": models / ratio.ratio,
        "images_per_second": timing.rate(models * CELL.recipe.batch_size),
        "noisy": timing.noisy or one.noisy,
    }


@pytest.mark.parametrize("models", MODELS)
def test_every_model_of_a_pack_has_a_loss_of_its_own(models, bench):
    losses = pack_task(CELL, models, bench.protocol.device)()
    assert losses.shape == (models,)
    assert losses.isfinite().all()
    assert len(set(losses.tolist())) == models
    assert losses.mean().item() == pytest.approx(math.log(10), abs=1.0)


def test_many_seeds_in_the_time_of_one(request, bench):
    if not bench.enabled:
        pytest.skip("times are measured with --benchmark-enable")
    device, protocol, rows = bench.protocol.device, bench.protocol, []
    for kind in kinds(device):
        tasks = {"one": alone(device, kind)}
        tasks |= {str(m): pack_task(CELL, m, device, as_graph=kind == "cuda graph") for m in MODELS}
        timings = interleaved(tasks, device=device, rounds=protocol.rounds, round_seconds=BURST)
        rows += [row(kind, m, timings[str(m)], timings["one"]) for m in MODELS]
        del tasks
    if not bench.comparing:
        facts = provenance(request.config.stash[BENCH].command, device)
        write_both(bench.folder, "stacked", TITLE, rows, facts)
    assert torch.get_num_threads() == 1
