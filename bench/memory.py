"""Peak memory of a GPU and of this process."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

MIB = 2**20


@dataclass(frozen=True)
class Memory:
    """Peak device memory in MiB, and where the figures come from."""

    allocated_mib: float | None
    reserved_mib: float | None
    source: str


@dataclass
class HostPeak:
    """Peak resident memory of the process in MiB, set when the block ends; None where it cannot be read."""

    mib: float | None = None


def peak_memory(step: Callable[[], object], device: str | torch.device) -> Memory:
    """Peak memory of a step on a GPU, in a pass of its own: warm-up, counters reset, three steps.

    Both figures hold everything alive on the device, the model and resident data included; the CUDA
    context lies outside them.
    """
    kind = torch.device(device).type
    if kind != "cuda":
        why = "no GPU" if kind == "cpu" else f"{kind} has no peak counter"
        return Memory(None, None, f"unavailable: {why}")
    for _ in range(2):
        step()
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    for _ in range(3):
        step()
    torch.cuda.synchronize(device)
    allocated, reserved = torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)
    return Memory(allocated / MIB, reserved / MIB, "measured")


@contextmanager
def host_peak() -> Iterator[HostPeak]:
    """Peak resident memory of this process during a block, in MiB.

    Linux only (clears and reads the kernel's high-water mark); elsewhere ``mib`` stays None.

    >>> with host_peak() as peak:
    ...     pass
    """
    peak = HostPeak()
    try:
        Path("/proc/self/clear_refs").write_text("5")
        readable = True
    except OSError:
        readable = False
    try:
        yield peak
    finally:
        if readable:
            peak.mib = _high_water_mib()


def _high_water_mib() -> float | None:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None
