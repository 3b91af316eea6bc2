"""Many seeds as one program against one seed: the notebook's net and the default study's, by ways to take a step.

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
from studies.training.steps.graphed import WARM_UP
from studies.trial.setup import Setup
from vit import PRESETS, ViT
from vit.stacked import layers

MODELS = (1, 8, 32)
NETS = {
    "notebook": PRESETS["notebook"],
    "compact, tiles": PRESETS["compact"],
    "compact, strips": PRESETS["compact"].replace(chunking="horizontal"),
}
FUSED, TORCHS = "cuda graph, fused attention", "cuda graph, torch's own layers"
"""What a GPU is spared: torch's attention for short float32 sequences, its layer norm and product for narrow layers."""
BURST = 0.05
"""Seconds: a GPU that is waited for every few steps would be timed by the waiting."""
TITLE = """# Many seeds as one program

A training step of so many models (batches of 128 with their preparation) against one of one model by itself, as
studies take it, in one run, with the 95 % interval of the ratio. `models gain` is how many times more models a
second are trained than one by one; on an H100 we aim at 32 in twice the time of one. `cuda graph` is what studies use
on a GPU; there `fused attention` and `torch's own layers` are what they would use without the rules of
`studies/training/compute.py` and `vit/stacked/narrow.py`. `eager` is what they use elsewhere. On a CPU
`bench/test_packs.py` says more.
"""


def kinds(device: str) -> list[str]:
    return ["eager", "cuda graph", FUSED, TORCHS] if device.startswith("cuda") else ["eager"]


def cell_of(net: str, kind: str = "") -> Cell:
    recipe = Recipe(max_translation=2, attention="sdpa" if kind == FUSED else "auto")
    return Cell(net, {}, Setup(NETS[net], recipe, "mnist"))


def alone(net: str, device: str) -> Task:
    cell = cell_of(net)
    data = load(cell.dataset).to(device)
    compute = cell.to_train.compute_on(device, len(data.train))
    return train_task(ViT(cell.config).to(device).use_attention(compute.attention), cell, data, compute)


def packed(net: str, kind: str, models: int, device: str) -> Task:
    """A graph is recorded here, with the layers of its kind."""
    with pytest.MonkeyPatch.context() as patch:
        if kind == TORCHS:
            for rule in ("few_weights", "many_narrow_rows"):
                patch.setattr(layers, rule, lambda *_: False)
        task = pack_task(cell_of(net, kind), models, device, as_graph=kind != "eager")
        for _ in range(WARM_UP + 1):
            task()
    return task


def row(net: str, kind: str, models: int, timing: Timing, one: Timing) -> dict[str, Any]:
    ratio = paired_ratio(timing, one)
    return {
        "net": net,
        "step": kind,
        "models": models,
        "milliseconds": 1000 * timing.median,
        "one_milliseconds": 1000 * one.median,
        "times_one": ratio.ratio,
        "low": ratio.low,
        "high": ratio.high,
        "models_gain": models / ratio.ratio,
        "images_per_second": timing.rate(models * cell_of(net).recipe.batch_size),
        "noisy": timing.noisy or one.noisy,
    }


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("models", MODELS)
def test_every_model_of_a_pack_has_a_loss_of_its_own(net, models, bench):
    losses = pack_task(cell_of(net), models, bench.protocol.device)()
    assert losses.shape == (models,)
    assert losses.isfinite().all()
    assert len(set(losses.tolist())) == models
    assert losses.mean().item() == pytest.approx(math.log(10), abs=1.0)


def test_many_seeds_in_the_time_of_one(request, bench):
    if not bench.enabled:
        pytest.skip("times are measured with --benchmark-enable")
    device, protocol, rows = bench.protocol.device, bench.protocol, []
    for net in NETS:
        tasks = {(kind, m): packed(net, kind, m, device) for kind in kinds(device) for m in MODELS}
        timed = {"one": alone(net, device)} | {f"{kind} {m}": task for (kind, m), task in tasks.items()}
        timings = interleaved(timed, device=device, rounds=protocol.rounds, round_seconds=BURST)
        rows += [row(net, kind, m, timings[f"{kind} {m}"], timings["one"]) for kind, m in tasks]
    if not bench.comparing:
        facts = provenance(request.config.stash[BENCH].command, device)
        write_both(bench.folder, "stacked", TITLE, rows, facts)
    assert torch.get_num_threads() == 1
