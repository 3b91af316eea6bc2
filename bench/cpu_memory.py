"""The CPU allocator's own peak over a block: tensors, and apart from them the workspace of matrix products.

oneDNN's kernels take their scratchpad from torch's allocator and give it back before the product returns: operands
that it copies into blocks of its own, padded to the tiles of the processor's matrix unit (AMX), one share a thread.
How much, and whether at all, differs from one processor and one number of threads to the next; the tensors do not.
Only matrix products are told apart: what any other operator takes, even for a moment, counts as tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

MATRIX_PRODUCTS = frozenset({"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"})


@dataclass
class CpuPeak:
    """Bytes above the block's begin, set when it ends; ``with_workspace`` is what the allocator itself would say."""

    tensors: int = 0
    with_workspace: int = 0


class Change(NamedTuple):
    """One allocation (``num_bytes`` > 0) or release (< 0) at an address, and the call of a product it lies in."""

    num_bytes: int
    address: int
    product: int | None


@contextmanager
def cpu_peak() -> Iterator[CpuPeak]:
    """Both peaks over a block.

    >>> with cpu_peak() as peak:
    ...     _ = torch.ones(1000) + torch.ones(1000)
    >>> peak.tensors
    12000
    """
    found = CpuPeak()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        yield found
    changes = list(_changes(profile.profiler.kineto_results.experimental_event_tree()))
    found.tensors, found.with_workspace = peaks(changes)


def peaks(changes: list[Change]) -> tuple[int, int]:
    """The highest sum of bytes without workspace, and with it; changes in the order of time."""
    workspace = _workspace(changes)
    tensors = (change.num_bytes for i, change in enumerate(changes) if i not in workspace)
    return _highest(tensors), _highest(change.num_bytes for change in changes)


def _workspace(changes: list[Change]) -> set[int]:
    """Positions of what a product took and gave back before it returned."""
    taken: dict[int, int] = {}
    found: set[int] = set()
    for i, change in enumerate(changes):
        if change.num_bytes > 0:
            taken[change.address] = i
            continue
        begin = taken.pop(change.address, None)  # None: from before the block
        if begin is not None and change.product is not None and changes[begin].product == change.product:
            found |= {begin, i}
    return found


def _highest(sizes: Iterable[int]) -> int:
    total = peak = 0
    for size in sizes:
        total += size
        peak = max(peak, total)
    return peak


def _changes(roots: Iterable[Any]) -> Iterator[Change]:
    """The allocator's events of a profile, in the order of time."""
    found = []
    waiting = [(root, None) for root in roots]
    while waiting:
        event, product = waiting.pop()
        if event.name == "[memory]":
            kept = event.extra_fields
            found.append((event.start_time_ns, Change(kept.alloc_size, kept.ptr, product)))
        if product is None and event.name in MATRIX_PRODUCTS:
            product = event.id
        waiting += [(child, product) for child in reversed(event.children)]
    return (change for _, change in sorted(found, key=lambda pair: pair[0]))
