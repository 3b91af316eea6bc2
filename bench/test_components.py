"""What every component costs: a train step of the preset `small` with it, beside one of the preset as it is.

`pytest bench` takes a step of each; `pytest bench --benchmark-enable` measures and writes components.csv and .md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from bench.conftest import BENCH
from bench.doctor import provenance
from bench.flops import count_flops
from bench.tables import write_both
from bench.timing import Task, interleaved, paired_ratio
from studies.training.compute import resolve
from studies.training.recipe import Recipe
from studies.training.steps.choice import step_of
from studies.training.streams import initialised
from vit import COMPONENTS, PRESETS, ViT, ViTConfig
from vit.contract.covering import FURTHER

BASE, RECIPE = PRESETS["small"], Recipe()
TITLE = """# What every component costs

One train step of the preset `small` (17 tokens of 28 x 28 pixels, embed_dim 64, depth 4, batch 128) with one field
changed, over one of the preset as it is: eager, on one thread of a CPU, in one run, taking turns; `times` is the
ratio with its 95 % interval. Number format and attention kernel are those that the rule chooses for this shape.
"""


def variants() -> Iterator[tuple[str, ViTConfig]]:
    """The preset, and every single change of a component that it takes."""
    yield "small", BASE
    for field, registry in COMPONENTS.items():
        for name in registry:
            if name != getattr(BASE, field):
                yield f"{field}={name}", BASE.replace(**{field: name})
    for setting, levels in FURTHER.items():
        for level in levels[1:]:
            yield f"{setting}={level}", BASE.replace(**{setting: level})


VARIANTS = dict(variants())


def task(config: ViTConfig, device: str) -> Task:
    model = initialised(config, 0).to(device)
    compute = resolve(config, RECIPE, device, num_steps=1)
    step, _ = step_of(model.use_attention(compute.attention), RECIPE, compute, device)
    images = torch.rand(RECIPE.batch_size, config.in_channels, *config.image_shape, device=device)
    labels = torch.arange(RECIPE.batch_size, device=device) % config.num_classes
    return lambda: step(images, labels)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_step_of_every_component_has_a_loss(name, bench):
    assert torch.isfinite(task(VARIANTS[name].replace(depth=1), bench.protocol.device)())  # type: ignore[arg-type]


def test_what_components_cost(request, bench):
    if not bench.enabled:
        pytest.skip("times are measured with --benchmark-enable")
    device, protocol = bench.protocol.device, bench.protocol
    tasks = {name: task(config, device) for name, config in VARIANTS.items()}
    timings = interleaved(tasks, device=device, rounds=protocol.rounds, round_seconds=protocol.round_seconds)
    rows: list[dict[str, Any]] = []
    for name, config in VARIANTS.items():
        ratio, model = paired_ratio(timings[name], timings["small"]), ViT(config)
        rows.append(
            {
                "variant": name,
                "milliseconds": 1000 * timings[name].median,
                "times": ratio.ratio,
                "low": ratio.low,
                "high": ratio.high,
                "tokens": config.num_tokens,
                "parameters": model.num_params(),
                "mega_flops": count_flops(model, (config.in_channels, *config.image_shape)) / 1e6,
                "noisy": timings[name].noisy,
            }
        )
    assert rows[0]["times"] == 1.0
    if not bench.comparing:
        write_both(bench.folder, "components", TITLE, rows, provenance(request.config.stash[BENCH].command, device))
