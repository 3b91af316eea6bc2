"""einops against the hand-written backends: equal first, then timed side by side in one run.

`pytest bench` checks equality; `pytest bench --benchmark-enable` measures and writes the tables.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bench.cells import IMAGES, Cell, build, compiled_cells, eager_cells
from bench.compare import slowdowns
from bench.conftest import BENCH
from bench.patching import cutters
from bench.rows import check_equal, measure_cell
from studies.training.steps.eager import train_step
from vit import CHUNKINGS
from vit.chunking import BACKENDS


def pytest_generate_tests(metafunc):
    """All cells when benches are enabled; else every eager condition once, at a batch of 2."""
    if "cell" not in metafunc.fixturenames:
        return
    bench = metafunc.config.stash[BENCH]
    cells = bench.cells
    if not bench.enabled:
        cells = [replace(cell, batch=2) for cell in eager_cells() if cell.batch == 1]
    metafunc.parametrize("cell", cells, ids=str)


@pytest.mark.host
@pytest.mark.benchmark(max_time=0.2, min_rounds=5, warmup=True, warmup_iterations=3)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("chunking", CHUNKINGS)
def test_cut(benchmark, chunking, image, backend):
    cell = Cell(chunking, image, 128, "contiguous", "cut", "eager")
    images, cut = cell.images("cpu"), cutters(cell.config)
    benchmark.group = f"{chunking} {image} batch 128"
    assert torch.equal(benchmark(cut[backend], images), cut["manual"](images))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_cell(cell, bench):
    """All backends of one cell."""
    if not bench.enabled:
        check_equal(cell, {name: task() for name, task in build(cell, "cpu", train_step).items()})
        return
    rows = measure_cell(cell, train_step, bench.protocol)
    slower = slowdowns(rows, bench.baseline, bench.threshold)
    if slower:  # a second opinion, from new tasks and more rounds
        rows = measure_cell(cell, train_step, bench.protocol.longer())
        slower = {key: why for key, why in slowdowns(rows, bench.baseline, bench.threshold).items() if key in slower}
    bench.rows += rows
    assert not slower, "slower than the kept baseline:\n" + "\n".join(slower.values())


def test_compiled_cells_are_few():
    assert len(list(compiled_cells())) <= 8
