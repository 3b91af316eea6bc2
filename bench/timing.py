"""Times and their ratios, measured so that two numbers may be compared.

Rules: synchronise the device around every burst, warm up until it settles, interleave what is compared,
report the spread. Absolute times of different runs on a busy machine do not compare; paired ratios do.
"""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from scipy import special

Task = Callable[[], object]

NOISY = 0.10
"""IQR / median above which a timing is called noisy."""
MAX_CALLS = 1_000_000
MAX_WARMUP_BURSTS = 20


@dataclass(frozen=True)
class Timing:
    """Seconds per call of one task, one entry a round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Seconds per call of the middle round."""
        return float(np.median(self.seconds))

    @property
    def iqr(self) -> float:
        """Interquartile range in seconds per call."""
        low, high = np.percentile(self.seconds, (25, 75))
        return float(high - low)

    @property
    def noisy(self) -> bool:
        """Whether the interquartile range exceeds 10 % of the median."""
        return self.iqr > NOISY * self.median

    def rate(self, units: float) -> float:
        """Units per second at the median, when one call processes ``units`` of them (images, say)."""
        return units / self.median


MARGIN = 0.02
"""Of a time: 2 % do not matter, as in the tables of speed."""


@dataclass(frozen=True)
class Ratio:
    """A geometric mean ratio with the bounds of its 95 % interval."""

    ratio: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether the interval leaves 1 out."""
        return self.low > 1.0 or self.high < 1.0

    @property
    def equivalent(self) -> bool:
        """Whether the interval lies within ``MARGIN`` of 1: a difference that matters to nobody."""
        return self.low >= 1 - MARGIN and self.high <= 1 + MARGIN


def interleaved(
    tasks: Mapping[str, Task],
    *,
    device: str | torch.device = "cpu",
    rounds: int = 7,
    round_seconds: float = 0.1,
    on_round: Callable[[int], None] | None = None,
) -> dict[str, Timing]:
    """Time several tasks in turn, in another order every round, so that a disturbance meets all of them alike.

    Every task is first called until its time per call no longer falls; then it runs as many times a round
    as fill about ``round_seconds``, at least once. Garbage collection rests meanwhile.

    Args:
        tasks: what to time, by name; called without arguments.
        device: synchronised around every burst of calls.
        rounds: entries of each ``Timing``.
        round_seconds: length of one task's burst, in seconds.
        on_round: called with 0, 1, ... after each round, outside the timed part.

    Raises:
        ValueError: no task, or ``rounds`` below 1.
        Exception: whatever a task raises.
    """
    if not tasks or rounds < 1:
        raise ValueError(f"{len(tasks)} tasks, rounds={rounds}: both must be at least 1")
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    with _no_garbage_collection():
        pace = {name: warm_up(task, device, round_seconds) for name, task in tasks.items()}
        for index in range(rounds):
            for name in _shuffled(list(tasks), index):
                seconds[name].append(_burst(tasks[name], _fill(round_seconds, pace[name]), device))
            if on_round is not None:
                on_round(index)
    return {name: Timing(tuple(entries)) for name, entries in seconds.items()}


def warm_up(task: Task, device: str | torch.device = "cpu", round_seconds: float = 0.1) -> float:
    """Call a task until bursts are no longer 5 % faster than the best before; bounded.

    Two such bursts in a row end it, one where a single call is longer than ``round_seconds``.
    Returns the best seconds per call.
    """
    best, settled = _burst(task, 1, device), 0
    for _ in range(MAX_WARMUP_BURSTS):
        last = _burst(task, _fill(round_seconds / 4, best), device)
        settled = settled + 1 if last > 0.95 * best else 0
        best = min(best, last)
        if settled == 2 or (settled == 1 and best > round_seconds):
            break
    return best


def paired_ratio(a: Timing, b: Timing) -> Ratio:
    """``a / b`` round by round: geometric mean and 95 % t interval of the log ratios.

    Above 1, ``a`` is the slower one. The timings must come from one ``interleaved`` run.

    Raises:
        ValueError: unequal numbers of rounds, or fewer than 2.
    """
    if len(a.seconds) != len(b.seconds) or len(a.seconds) < 2:
        raise ValueError(f"{len(a.seconds)} and {len(b.seconds)} rounds: need the same number, at least 2")
    logs = np.log(a.seconds) - np.log(b.seconds)
    mean = float(logs.mean())
    half = t_quantile(len(logs) - 1) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    return Ratio(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def t_quantile(df: int, confidence: float = 0.95) -> float:
    """Two-sided quantile of Student's t; 1.960 for many degrees of freedom."""
    return float(special.stdtrit(df, 0.5 + confidence / 2))


def synchronize(device: str | torch.device) -> None:
    """Wait until all work queued on a device is done; nothing to do on a CPU."""
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.synchronize(device)
    elif kind == "mps":
        torch.mps.synchronize()


def _burst(task: Task, calls: int, device: str | torch.device) -> float:
    """Seconds per call over a burst of calls."""
    synchronize(device)
    start = perf_counter()
    for _ in range(calls):
        task()
    synchronize(device)
    return (perf_counter() - start) / calls


def _fill(seconds: float, per_call: float) -> int:
    return max(1, min(MAX_CALLS, round(seconds / max(per_call, 1e-9))))


def _shuffled(names: list[str], index: int) -> list[str]:
    """Another order every round: with a fixed one a task would always pay for what its predecessor left behind."""
    return random.Random(index).sample(names, len(names))


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
