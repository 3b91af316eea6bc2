"""What this machine can do at best: matrix products and copies, the denominator of every share of the limit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch

from bench.timing import interleaved

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Limits:
    """The best rates seen on a device with so many threads: GFLOP/s by dtype, copy in GB/s read + written."""

    device: str
    threads: int
    gemm: dict[str, float]
    copy: float

    def best(self, other: Limits) -> Limits:
        """The higher rates of two measurements of one device: other work on it can only have lowered them."""
        gemm = {name: max(rate, other.gemm[name]) for name, rate in self.gemm.items()}
        return Limits(self.device, self.threads, gemm, max(self.copy, other.copy))

    def seconds(self, flops: float, num_bytes: float, dtype: str = "float32") -> float:
        """The shortest time in which a task of so many FLOPs and bytes moved could run."""
        return max(flops / self.gemm[dtype], num_bytes / self.copy) / 1e9


def measure_limits(
    device: str = "cpu", threads: int | None = None, rounds: int = 7, round_seconds: float = 0.05
) -> Limits:
    """Time a large matrix product per dtype and a large copy, interleaved; the best round counts.

    Args:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
        threads: torch's threads on a CPU meanwhile; None leaves them as they are.
        rounds: how often each is timed.
        round_seconds: length of each, in seconds.
    """
    side, copy_mib = (1024, 64) if device == "cpu" else (8192, 1024)
    tasks, source = {}, torch.empty(copy_mib * 2**20, dtype=torch.uint8, device=device).fill_(1)
    for name, dtype in DTYPES.items():
        a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        tasks[name] = partial(torch.matmul, a, b, out=torch.empty_like(a))
    tasks["copy"] = partial(torch.empty_like(source).copy_, source)
    with torch_threads(threads), torch.inference_mode():
        timings = interleaved(tasks, device=device, rounds=rounds, round_seconds=round_seconds)
        used = torch.get_num_threads()
    best = {name: min(timing.seconds) for name, timing in timings.items()}
    gemm = {name: 2 * side**3 / best[name] / 1e9 for name in DTYPES}
    return Limits(device, used, gemm, 2 * source.numel() / best["copy"] / 1e9)


@contextmanager
def torch_threads(threads: int | None) -> Iterator[None]:
    """Run a block with so many torch threads, then put the number back; None changes nothing."""
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
