"""Which number format and attention kernel train fastest, over a grid of work, beside what our rule chooses.

`pytest bench` checks the grid; `pytest bench/test_arithmetic.py --benchmark-enable` measures, and writes arithmetic.csv
and .md. Where the rule's constants (`studies/training/compute.py`) were found.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from itertools import product
from typing import Any

import pytest
import torch

from bench.conftest import BENCH
from bench.doctor import provenance
from bench.machine import capabilities
from bench.tables import write_both
from bench.timing import Ratio, Timing, interleaved, paired_ratio
from studies.training.compute import TORCH_DTYPES, Compute, resolve, work_of_a_layer
from studies.training.recipe import Recipe
from studies.training.steps.choice import step_of
from vit import ATTENTION_KERNELS, ViT, ViTConfig

RECIPE = Recipe(learning_rate=0.0)
WIDTHS = {16: (2, 2), 32: (3, 2), 64: (4, 4), 128: (4, 4), 192: (6, 3)}
"""Depth and heads by embed_dim."""
CUTS: dict[str, dict[str, Any]] = {
    "strips": {"chunking": "horizontal", "num_strips": 4},
    "tiles of 7": {"patch_size": 7},
    "tiles of 4": {"patch_size": 4},
    "tiles of 2": {"patch_size": 2},
}
BATCHES = (32, 128, 512)
MOST_WORK = 90_000_000
"""Of a layer, so that a step takes a second at most."""
MOST_WEIGHTS = 10_000_000
"""Attention weights of a block, batch x heads x tokens squared, likewise."""
LOSS = 0.03
"""What the rule may lose against float32."""
ROUNDS, BURST = 9, 0.03
TITLE = f"""# Number format and attention kernel of a train step, by work

Eager steps on one thread, in turn; MNIST's shape, MLP ratio 2. Columns named by number format and kernel: how many
times as fast as float32 in the kernel that the rule gives it (geometric mean of paired rounds). `chosen` is what the
rule picks for a short training, `chosen ratio` its speed over float32 with a 95 % interval, and `loses` says whether
it is slower by more than {LOSS:.0%} for sure. `work` is images x tokens x width squared, in millions: what the rule
looks at, beside tokens by width.
"""


def grid() -> list[tuple[str, ViTConfig, int]]:
    """Cut, model and batch of every cell that is not too long."""
    cells = []
    for (width, (depth, heads)), (cut, fields), batch in product(WIDTHS.items(), CUTS.items(), BATCHES):
        config = ViTConfig(embed_dim=width, depth=depth, num_heads=heads, mlp_ratio=2.0, **fields)
        weights = batch * heads * config.num_tokens**2
        if work_of_a_layer(config, batch) <= MOST_WORK and weights <= MOST_WEIGHTS:
            cells.append((cut, config, batch))
    return cells


def timed(config: ViTConfig, batch: int, device: str) -> dict[tuple[str, str], Timing]:
    """By number format and kernel."""
    images = torch.rand(batch, config.in_channels, *config.image_shape, device=device)
    labels = torch.arange(batch, device=device) % config.num_classes
    tasks = {}
    for dtype, kernel in product(TORCH_DTYPES, ATTENTION_KERNELS):
        model = ViT(config).to(device).use_attention(kernel)
        step, _ = step_of(model, RECIPE.replace(batch_size=batch), Compute(kernel, dtype, compile=False), device)
        tasks[f"{dtype} {kernel}"] = partial(step, images, labels)
    timings = interleaved(tasks, device=device, rounds=ROUNDS, round_seconds=BURST)
    return {(dtype, kernel): timings[f"{dtype} {kernel}"] for dtype, kernel in product(TORCH_DTYPES, ATTENTION_KERNELS)}


def row_of(
    cut: str, config: ViTConfig, batch: int, timings: dict[tuple[str, str], Timing], chosen: Compute, kernel: str
) -> dict[str, Any]:
    """What was measured of a cell, and what the rule makes of it; ``kernel`` is what it would use in float32."""
    base = timings["float32", kernel]
    gain = paired_ratio(base, timings[chosen.dtype, chosen.attention])
    gains = {f"{dtype}_{kernel}": paired_ratio(base, timing).ratio for (dtype, kernel), timing in timings.items()}
    return {
        "embed_dim": config.embed_dim,
        "depth": config.depth,
        "cut": cut,
        "tokens": config.num_tokens,
        "batch": batch,
        "work": work_of_a_layer(config, batch) / 1e6,
        "float32_images_per_second": base.rate(batch),
        **gains,
        "chosen": f"{chosen.dtype} {chosen.attention}",
        **{f"chosen_{name}": value for name, value in asdict(gain).items()},
        "loses": loses(gain),
    }


def loses(gain: Ratio) -> bool:
    """Whether what was chosen is slower than float32 by more than ``LOSS``, noise apart."""
    return gain.high < 1 - LOSS


def test_the_rule_over_the_grid(request, bench):
    if not bench.enabled:
        pytest.skip("times are measured with --benchmark-enable")
    device, rows = bench.protocol.device, []
    for cut, config, batch in grid():
        recipe = RECIPE.replace(batch_size=batch, compile=False)
        chosen = resolve(config, recipe, device, num_steps=1)
        kernel = resolve(config, recipe.replace(dtype="float32"), device, num_steps=1).attention
        rows.append(row_of(cut, config, batch, timed(config, batch, device), chosen, kernel))
        print({name: f"{v:.3g}" if isinstance(v, float) else v for name, v in rows[-1].items()})
    facts = provenance(bench.command, device) | {"capabilities": ", ".join(capabilities())}
    write_both(request.config.stash[BENCH].folder, "arithmetic", TITLE, rows, facts)
    assert [row for row in rows if row["loses"]] == []


def test_the_grid_lies_on_both_sides_of_the_rule(monkeypatch):
    monkeypatch.setattr("studies.training.compute.has_bfloat16", lambda device: True)
    recipes = {batch: RECIPE.replace(batch_size=batch) for batch in BATCHES}
    chosen = {(cut, c.embed_dim, batch): resolve(c, recipes[batch], "cpu", 1).dtype for cut, c, batch in grid()}
    assert {dtype for (cut, width, _), dtype in chosen.items() if width == 64 and cut == "strips"} == set(TORCH_DTYPES)
    assert len(chosen) == len(grid()) > 25


def test_a_row_says_what_the_rule_loses():
    config, slow, fast = ViTConfig(embed_dim=64, num_heads=2), Timing((2.0, 2.0)), Timing((1.0, 1.0))
    timings = {(dtype, "explicit"): slow if dtype == "bfloat16" else fast for dtype in TORCH_DTYPES}
    row = row_of("tiles", config, 128, timings, Compute("explicit", "bfloat16", compile=False), "explicit")
    assert (row["chosen_ratio"], row["loses"], row["bfloat16_explicit"]) == (0.5, True, 0.5)
    kept = row_of("tiles", config, 128, timings, Compute("explicit", "float32", compile=False), "explicit")
    assert (kept["chosen_ratio"], kept["loses"]) == (1.0, False)
