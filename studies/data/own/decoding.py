"""All images of a source decoded into one file, several at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from studies.data.own.decode import Decoded, Policy, UndecodableError, decode
from studies.data.own.items import Item, Skipped

Progress = Callable[[int, int], None]
"""Called with how many are done, and of how many."""
REWRITTEN_AT_ONCE = 1024
NONE = np.zeros((0, 0, 3), np.uint8)
AT_ONCE = 32
"""Images a task; twice as many tasks as threads wait, which bounds the memory."""


def decode_all(
    items: Sequence[Item], policy: Policy, file: Path, progress: Progress
) -> tuple[list[tuple[Item, Decoded | Skipped]], int]:
    """Write the pixels ``(size, size, 3)`` of every image that can be read, in order; and what became of each item.

    Threads, not processes: Pillow lets go of the interpreter while it decodes and resizes (a PNG of 12 million
    pixels holds up another thread for less than a tenth of a second), and a process would have to load torch first.
    Memory is that of the images in flight; pixels of what is returned are left out.

    Returns:
        items with what they were, or why they were skipped; and the number of channels, 1 where all of them are grey.
    """
    grey, ends = True, []
    with file.open("wb") as out:
        for item, end in _decoded(items, policy):
            if isinstance(end, Decoded):
                out.write(end.pixels.tobytes())
                grey = grey and bool((end.pixels == end.pixels[..., :1]).all())
                end = replace(end, pixels=NONE)
            ends.append((item, end))
            if len(ends) % AT_ONCE == 0 or len(ends) == len(items):
                progress(len(ends), len(items))
    return ends, 1 if grey else 3


def _decoded(items: Sequence[Item], policy: Policy) -> Iterator[tuple[Item, Decoded | Skipped]]:
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    waiting: deque[tuple[Sequence[Item], Future[list[Decoded | Skipped]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(items), AT_ONCE):
            some = items[start : start + AT_ONCE]
            waiting.append((some, pool.submit(_decode_some, some, policy)))
            if len(waiting) > 2 * threads:
                done, future = waiting.popleft()
                yield from zip(done, future.result(), strict=True)
        for done, future in waiting:
            yield from zip(done, future.result(), strict=True)


def _decode_some(items: Sequence[Item], policy: Policy) -> list[Decoded | Skipped]:
    return [_decode_one(item, policy) for item in items]


def _decode_one(item: Item, policy: Policy) -> Decoded | Skipped:
    try:
        return decode(item.source, policy)
    except UndecodableError as error:
        return Skipped(item.name, str(error))


def arrange(decoded: Path, order: Sequence[int], size: int, channels: int, file: Path) -> None:
    """Write images ``(n, size, size, 3)`` in another order, as ``(n, channels, size, size)``, some at a time."""
    pixels = np.memmap(decoded, np.uint8, "r").reshape(-1, size, size, 3)
    with file.open("wb") as out:
        for start in range(0, len(order), REWRITTEN_AT_ONCE):
            some = pixels[order[start : start + REWRITTEN_AT_ONCE], ..., :channels]
            out.write(some.transpose(0, 3, 1, 2).tobytes())
