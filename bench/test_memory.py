"""Predicted memory against real memory: the CPU allocator's here, max_memory_allocated where there is a GPU.

`pytest bench` checks small shapes; `pytest bench --benchmark-enable` the full list, and writes memory.csv and .md.
The tracer counts tensors, so the CPU's peak is taken without what oneDNN's matrix products take for themselves
(``bench/cpu_memory.py``). Where the processor has AMX, whose kernels take most, both sorts of kernels are tried.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import torch

from bench.conftest import BENCH
from bench.cpu_memory import cpu_peak
from bench.doctor import provenance
from bench.machine import capabilities, pick_device
from bench.memory import MIB
from bench.predicted_memory import STEPS, Builder, predict_peak, traced_peak, train_step_builder
from bench.tables import write_both
from studies.training.compute import TORCH_DTYPES, Compute
from studies.training.recipe import Recipe
from studies.training.steps.choice import step_of
from vit import ViTConfig

TOLERANCE = 0.05
ISA = "ONEDNN_MAX_CPU_ISA"
"""The variable that bounds what oneDNN may use of the processor."""
TITLE = """# Peak memory of a training step: traced without data, against real allocators

`traced` is the tracer with this CPU's kernels. `cpu allocator` is the peak that torch's CPU allocator reports over
the same two steps of real training, `cpu tensors` that peak without the workspace of matrix products: what oneDNN's
kernels take inside a product and give back before it returns, operands copied and padded to blocks, which differs
from processor to processor (most with AMX) and with the number of threads. The error is that of `traced` against
`cpu tensors`: this calibrates the tracer. `predicted` is what studies report as GPU memory: the same tracer with a
GPU's kernels, what they take as they run, autocast rules and 512-byte blocks. `gpu measured` is
`max_memory_allocated` less what was allocated before the model (cuBLAS workspace); empty without a GPU. Never counted
in what is predicted: cuBLAS's workspace, the allocator's spare segments, the CUDA context.
MiB throughout, AdamW, the data set left out.
"""


@dataclass(frozen=True)
class Shape:
    """What is trained; ``patch`` is the tile's side in 28 x 28 pixels."""

    embed_dim: int
    patch: int
    depth: int
    batch: int
    attention: str = "explicit"
    more: dict[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        parts = [f"d{self.embed_dim}", f"n{self.config.num_tokens}", f"b{self.batch}", self.attention]
        return "-".join([*parts, *map(str, self.more.values())])

    @property
    def config(self) -> ViTConfig:
        heads = max(1, self.embed_dim // 64)
        settings = {"embed_dim": self.embed_dim, "patch_size": self.patch, "depth": self.depth, "num_heads": heads}
        return ViTConfig(**{**settings, **self.more})

    def build(self, dtype: str, device: str = "cpu") -> Builder:
        compute = Compute(self.attention, dtype, compile=False)
        return train_step_builder(
            self.config,
            self.batch,
            lambda model: step_of(model, Recipe(), compute, device, as_graph=False)[0],
            self.attention,
            device,
        )


SHAPES = [
    Shape(16, 14, 2, 1024, "sdpa"),
    Shape(16, 7, 2, 128),
    Shape(16, 2, 2, 64),
    Shape(64, 7, 4, 128),
    Shape(64, 7, 4, 1024, "sdpa"),
    Shape(64, 4, 4, 256),
    Shape(64, 2, 2, 64, "sdpa"),
    Shape(192, 14, 6, 256),
    Shape(192, 7, 6, 64, "sdpa"),
    Shape(192, 2, 2, 64),
    Shape(384, 14, 2, 64),
    Shape(384, 7, 2, 256, "sdpa"),
    Shape(384, 4, 2, 64),
    Shape(64, 7, 4, 256, "sdpa", more={"positional": "relative", "pooling": "map"}),
    Shape(64, 7, 4, 256, more={"positional": "rope2d", "dropout": 0.1}),
]
SMALL = [
    Shape(16, 7, 2, 64),
    Shape(64, 14, 2, 32, "sdpa"),
    Shape(32, 4, 1, 32, "sdpa", more={"positional": "relative", "pooling": "map", "dropout": 0.1}),
]


def pytest_generate_tests(metafunc):
    """All shapes when benches are enabled, else small ones."""
    if "shape" in metafunc.fixturenames:
        metafunc.parametrize("dtype", TORCH_DTYPES)
        metafunc.parametrize("shape", SHAPES if metafunc.config.stash[BENCH].enabled else SMALL, ids=str)


@pytest.fixture(autouse=True)
def one_thread(bench):
    """While benches are enabled."""


@pytest.fixture(scope="module")
def rows(request):
    """By shape and dtype; written when all of them are there."""
    found: dict[tuple[Shape, str], dict[str, Any]] = {}
    yield found
    bench = request.config.stash[BENCH]
    if bench.enabled and not bench.comparing and len(found) == len(SHAPES) * len(TORCH_DTYPES):
        facts = provenance(bench.command, bench.protocol.device)
        write_both(bench.folder, "memory", TITLE, list(found.values()), facts)


def row_of(rows, shape, dtype):
    config = shape.config
    start = {
        "embed_dim": config.embed_dim,
        "tokens": config.num_tokens,
        "depth": config.depth,
        "batch": shape.batch,
        "positional": config.positional,
        "pooling": config.pooling,
        "dropout": config.dropout,
        "attention": shape.attention,
        "dtype": dtype,
        **dict.fromkeys(("traced_mib", "cpu_tensors_mib", "cpu_allocator_mib", "error_percent")),
        **dict.fromkeys(("predicted_mib", "trace_seconds")),
        **dict.fromkeys(("gpu_measured_mib", "gpu_error_percent")),
    }
    return rows.setdefault((shape, dtype), start)


def test_the_tracer_agrees_with_the_cpu_allocator(shape, dtype, rows):
    traced = traced_peak(shape.build(dtype))
    gc.collect()
    with cpu_peak() as real:
        step = shape.build(dtype)()
        for _ in range(STEPS):
            step()
    begin = perf_counter()
    predicted = predict_peak(shape.build(dtype))
    row_of(rows, shape, dtype).update(
        traced_mib=traced / MIB,
        cpu_tensors_mib=real.tensors / MIB,
        cpu_allocator_mib=real.with_workspace / MIB,
        error_percent=100 * (traced / real.tensors - 1),
        predicted_mib=predicted.allocated_mib,
        trace_seconds=perf_counter() - begin,
    )
    assert traced == pytest.approx(real.tensors, rel=TOLERANCE)


@pytest.mark.skipif("amx_bf16" not in capabilities(), reason="the processor has no AMX: there is one sort of kernels")
@pytest.mark.skipif(ISA in os.environ, reason=f"{ISA} is set: the kernels are chosen")
def test_it_agrees_with_amx_turned_off_too():
    """In a process of its own: oneDNN asks once; its log shows which kernels ran."""
    chosen = os.environ | {ISA: "AVX512_CORE_BF16", "ONEDNN_VERBOSE": "1"}
    tests = [__file__, "-k", "agrees_with_the_cpu_allocator", "-s", "--benchmark-disable"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, env=chosen, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "matmul:avx512_core_bf16" in done.stdout
    assert "amx" not in done.stdout


@pytest.mark.skipif(pick_device() != "cuda", reason="needs a GPU: predicted against max_memory_allocated")
def test_the_prediction_agrees_with_the_gpu(shape, dtype, rows):
    predicted = predict_peak(shape.build(dtype)).allocated_mib
    measured = gpu_peak(shape.build(dtype, "cuda")) / MIB
    row_of(rows, shape, dtype).update(gpu_measured_mib=measured, gpu_error_percent=100 * (predicted / measured - 1))
    assert predicted == pytest.approx(measured, rel=TOLERANCE)


def gpu_peak(build: Builder) -> int:
    """Bytes above what was allocated before, cuBLAS's workspace included in that."""
    ones = torch.ones(64, 64, device="cuda", requires_grad=True)
    torch.addmm(ones[0], ones, ones).sum().backward()  # each thread that multiplies has a workspace of its own
    ones.grad = None
    gc.collect()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step = build()
    for _ in range(STEPS):
        step()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def test_resident_bytes_are_added():
    bare, more = (predict_peak(SMALL[0].build("float32"), resident_bytes=n * MIB) for n in (0, 3))
    assert more.allocated_mib == bare.allocated_mib + 3
    assert bare.source.startswith("predicted")


def test_fused_attention_keeps_no_weights():
    """4 heads x 197 x 197 float32 weights for each of 8 images."""
    config = Shape(16, 2, 1, 8, more={"num_heads": 4, "pooling": "mean"})
    fused, written_out = (
        predict_peak(replace(config, attention=kernel).build("float32")).allocated_mib
        for kernel in ("sdpa", "explicit")
    )
    assert written_out - fused > 4 * 4 * 197 * 197 * 8 / MIB
