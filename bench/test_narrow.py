"""The layers of a pack on a GPU, torch's own against those of `vit/stacked/narrow.py`: by width, rows and models.

`pytest bench` checks that they are equal; `pytest bench/test_narrow.py --benchmark-enable --device cuda` measures, and
writes narrow.csv and .md.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.conftest import BENCH
from bench.doctor import provenance
from bench.tables import write_both
from bench.timing import Task, interleaved, paired_ratio
from vit.stacked.narrow import Norm, Product

MODELS, ROWS, WIDTHS = (8, 32), (640, 2176), (16, 32, 64, 128, 192)
"""Rows of a model: images x tokens, 128 x 5 strips and 128 x 17 tiles."""
IN_A_GRAPH, BURST = 10, 0.01
"""Calls that a graph holds, so that its launch is no part of the time; seconds of a burst of graphs."""
TITLE = """# Layers of a pack on a GPU: torch's own, and those for narrow rows

Forward and backward in float32, in turn, each from a CUDA graph: a layer norm and a square linear layer of so many
models, each with so many rows of `width`. `ratio` is the time of ours over that of torch's, with its 95 % interval:
below 1 ours is faster. Which is taken where is said in `vit/stacked/narrow.py`.
"""
Layer = Callable[[Tensor, Tensor, Tensor], Tensor]
"""``(m, rows, d)``, weight ``(m, d)`` or ``(m, d, d)`` and bias ``(m, d)`` to ``(m, rows, d)``."""


def torchs_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.addcmul(bias[:, None], F.layer_norm(x, x.shape[-1:]), weight[:, None])


def torchs_product(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.baddbmm(bias[:, None], x, weight.mT)


def our_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return Norm.apply(x, weight, bias, 1e-5)


LAYERS: dict[str, tuple[dict[str, Layer], int]] = {
    "norm": ({"our": our_norm, "torchs": torchs_norm}, 2),
    "linear": ({"our": Product.apply, "torchs": torchs_product}, 3),
}
"""Both ways to compute each, and the axes of a weight."""


def backward_of(layer: Layer, axes: int, models: int, rows: int, width: int, device: str) -> Callable[[], Any]:
    """One forward and backward of a layer on random inputs, which returns the gradients."""
    generator = torch.Generator(device).manual_seed(0)
    x, gradient, weight, bias = (
        torch.randn(shape, generator=generator, device=device)
        for shape in ((models, rows, width), (models, rows, width), (models, *[width] * (axes - 1)), (models, width))
    )
    wanted = [tensor.requires_grad_() for tensor in (x, weight, bias)]
    return lambda: torch.autograd.grad(layer(*wanted), wanted, gradient)


def graph_of(call: Callable[[], Any]) -> Task:
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(IN_A_GRAPH):
            call()
    return graph.replay


@pytest.mark.parametrize("name", LAYERS)
def test_both_compute_the_same_gradients(name, bench):
    both, axes = LAYERS[name]
    apart = [backward_of(layer, axes, 3, 640, 16, bench.protocol.device)() for layer in both.values()]
    for one, other in zip(*apart, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_narrow_layers_by_width_rows_and_models(request, bench):
    device = bench.protocol.device
    if not (bench.enabled and device.startswith("cuda")):
        pytest.skip("times are measured with --benchmark-enable --device cuda")
    table = []
    for name, models, rows, width in product(LAYERS, MODELS, ROWS, WIDTHS):
        both, axes = LAYERS[name]
        tasks = {who: graph_of(backward_of(layer, axes, models, rows, width, device)) for who, layer in both.items()}
        found = interleaved(tasks, device=device, rounds=9, round_seconds=BURST)
        ratio = paired_ratio(found["our"], found["torchs"])
        table.append(
            {"layer": name, "models": models, "rows": rows, "width": width}
            | {f"{who}_microseconds": 1e6 * timing.median / IN_A_GRAPH for who, timing in found.items()}
            | {"ratio": ratio.ratio, "low": ratio.low, "high": ratio.high}
        )
    write_both(bench.folder, "narrow", TITLE, table, provenance(request.config.stash[BENCH].command, device))
