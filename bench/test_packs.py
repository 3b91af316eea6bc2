"""On a CPU, packs against models one by one: by width, tokens, number format and pack.

`pytest bench` checks the grid; `pytest bench/test_packs.py --benchmark-enable` measures and writes packs.csv and .md.
A GPU has `bench/test_stacked.py`.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch

from bench.conftest import BENCH
from bench.doctor import provenance
from bench.tables import write_both
from bench.timing import Ratio, Task, interleaved, paired_ratio
from studies.data import load
from studies.design.plan import Cell
from studies.running.measure import train_task
from studies.running.pack_timing import pack_task
from studies.training.compute import TORCH_DTYPES, work_of_a_layer
from studies.training.recipe import Recipe
from studies.trial.setup import Setup
from vit import PRESETS, ViT

pytestmark = pytest.mark.host

STRIPS = {"chunking": "horizontal", "patch_size": 7}
CONFIGS = {
    "notebook": PRESETS["notebook"].replace(dropout=0.0, attention_dropout=0.0),
    "compact, tiles": PRESETS["compact"],
    "compact, strips": PRESETS["compact"].replace(**STRIPS),
    "tiny, tiles": PRESETS["tiny"],
    "tiny, strips": PRESETS["tiny"].replace(**STRIPS),
    "64 wide, tiles": PRESETS["tiny"].replace(embed_dim=64),
    "64 wide, strips": PRESETS["tiny"].replace(embed_dim=64, **STRIPS),
}
MODELS = (2, 5, 8)
ROUNDS, BURST = 9, 0.05
TITLE = """# Packs on a CPU

Eager training steps with their batches of 128 on one thread, in turn: as many models one by one, over one step of
them as one program, the geometric mean of paired rounds with its 95 % interval. Above 1 the pack is faster. `work` is
images x tokens x width squared of one model, in millions. Studies pack on a CPU by the
rule of `studies/running/packs.py`.
"""


def cell_of(name: str, dtype: str) -> Cell:
    return Cell(name, {}, Setup(CONFIGS[name], Recipe(dtype=dtype, compile=False), "mnist"))


def alone(cell: Cell) -> Task:
    data = load(cell.dataset)
    compute = cell.to_train.compute_on("cpu", len(data.train))
    return train_task(ViT(cell.config).use_attention(compute.attention), cell, data, compute)


def row_of(name: str, dtype: str, models: int, gain: Ratio) -> dict[str, Any]:
    config, recipe = CONFIGS[name], cell_of(name, dtype).recipe
    return {
        "model": name,
        "embed_dim": config.embed_dim,
        "tokens": config.num_tokens,
        "work": work_of_a_layer(config, recipe.batch_size) / 1e6,
        "dtype": dtype,
        "pack": models,
        "gain": gain.ratio,
        "low": gain.low,
        "high": gain.high,
        "verdict": "gains" if gain.low > 1 else "loses" if gain.high < 1 else "undecided",
    }


def test_packs_by_width_and_arithmetic(request, bench):
    if not bench.enabled:
        pytest.skip("times are measured with --benchmark-enable")
    rows = []
    for name, dtype in product(CONFIGS, TORCH_DTYPES):
        cell = cell_of(name, dtype)
        tasks = {"1": alone(cell)} | {str(m): pack_task(cell, m, "cpu") for m in MODELS}
        timings = interleaved(tasks, rounds=ROUNDS, round_seconds=BURST)
        for m in MODELS:
            once = paired_ratio(timings["1"], timings[str(m)])
            rows.append(row_of(name, dtype, m, Ratio(m * once.ratio, m * once.low, m * once.high)))
            print({key: f"{v:.3g}" if isinstance(v, float) else v for key, v in rows[-1].items()})
    write_both(bench.folder, "packs", TITLE, rows, provenance(request.config.stash[BENCH].command, "cpu"))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("dtype", TORCH_DTYPES)
def test_a_pack_and_a_model_alone_take_a_step(name, dtype):
    cell = cell_of(name, dtype)
    losses, loss = pack_task(cell, 2, "cpu")(), alone(cell)()
    assert torch.isfinite(losses).all()
    assert losses.shape == (2,)
    assert torch.isfinite(loss)


@pytest.mark.parametrize(
    ("gain", "verdict"), [((1.2, 1.1, 1.3), "gains"), ((0.8, 0.7, 0.9), "loses"), ((1.0, 0.9, 1.1), "undecided")]
)
def test_a_row_says_whether_a_pack_is_worth_it(gain, verdict):
    row = row_of("tiny, tiles", "float32", 5, Ratio(*gain))
    assert (row["verdict"], row["work"]) == (verdict, pytest.approx(128 * 17 * 32**2 / 1e6))
