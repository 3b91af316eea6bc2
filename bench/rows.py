"""Measure one cell of the chunking bench, and say in words what came out."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from time import perf_counter
from typing import Any

import torch

from bench.cells import Cell, TrainStep, build, reference, work
from bench.flops import count_flops
from bench.limits import Limits
from bench.timing import MARGIN, Ratio, Task, Timing, interleaved, paired_ratio, synchronize
from vit import ViT

BASELINE = "manual"
MIN_ROUNDS = 5


@dataclass(frozen=True)
class Protocol:
    """How long each cell is measured: rounds, seconds a burst, and seconds a cell may take beyond 5 rounds."""

    device: str = "cpu"
    rounds: int = 15
    round_seconds: float = 0.005
    cell_seconds: float = 1.0

    def longer(self) -> Protocol:
        """Twice the rounds."""
        return replace(self, rounds=2 * self.rounds, cell_seconds=2 * self.cell_seconds)


@dataclass(frozen=True)
class Row:
    """One backend in one cell.

    ``ratio`` is its time over the manual backend's, paired round by round; ``relative`` its time in units
    of the reference task; ``limit_share`` the shortest time this machine could take over the time it took.
    ``extra_us`` and ``step_share`` are what it costs beyond the manual backend, in
    microseconds a call and as a share of a train step of the same shape.
    """

    cell: Cell
    backend: str
    microseconds: float
    spread: float
    noisy: bool
    rounds: int
    ratio: Ratio
    relative: Ratio
    limit_share: float | None = None
    compile_seconds: float | None = None
    extra_us: float = 0.0
    step_share: float | None = None
    verdict: str = ""

    @property
    def key(self) -> str:
        """Which row of the table this is."""
        return f"{self.cell}-{self.backend}"

    def as_dict(self) -> dict[str, Any]:
        """Flat, for a CSV."""
        flat = {"key": self.key} | asdict(self.cell)
        for name, value in vars(self).items():
            if isinstance(value, Ratio):
                flat |= {name: value.ratio, f"{name}_low": value.low, f"{name}_high": value.high}
            elif name != "cell":
                flat[name] = value
        return flat


def check_equal(cell: Cell, results: Mapping[str, torch.Tensor]) -> None:
    """Every backend computed what the manual one did: a cut bit for bit, sums up to rounding.

    Raises:
        AssertionError: one did not; the message names cell and backend.
    """
    expected = results[BASELINE]
    for name, result in results.items():
        if cell.level == "cut":
            assert torch.equal(result, expected), f"{cell}: {name} and {BASELINE} cut differently"
            continue
        error = ((result - expected).norm() / expected.norm().clamp_min(1e-12)).item()
        assert result.shape == expected.shape, f"{cell}: {name} has shape {tuple(result.shape)}"
        assert error < 1e-4, f"{cell}: {name} is off by a relative {error:.1e}"


def measure_cell(cell: Cell, train_step: TrainStep, protocol: Protocol) -> list[Row]:
    """Compile where asked, assert equal outputs, then time all backends and the reference interleaved."""
    if cell.mode == "compile":
        prepare_compiler(protocol.device)
    tasks = build(cell, protocol.device, train_step)
    first = {name: _call_seconds(task, protocol.device) for name, task in tasks.items()}
    start = perf_counter()
    check_equal(cell, {name: task() for name, task in tasks.items()})
    round_cost = max(perf_counter() - start, len(tasks) * protocol.round_seconds)
    rounds = min(protocol.rounds, max(MIN_ROUNDS, round(protocol.cell_seconds / round_cost)))
    timings = interleaved(
        {**tasks, "reference": reference(protocol.device)},
        device=protocol.device,
        rounds=rounds,
        round_seconds=protocol.round_seconds,
    )
    rows = [_row(cell, name, timings) for name in tasks]
    if cell.mode == "compile":
        rows = [replace(row, compile_seconds=first[row.backend]) for row in rows]
    return rows


def with_verdicts(rows: Iterable[Row], limits: Limits) -> list[Row]:
    """Rows with ``limit_share`` and, from the train steps among them, ``extra_us``, ``step_share``, ``verdict``."""
    rows = list(rows)
    baseline = {row.cell: row.microseconds for row in rows if row.backend == BASELINE}
    configs = {row.cell.config for row in rows}
    flops = {config: count_flops(ViT(config), (config.in_channels, *config.image_shape)) for config in configs}
    done = []
    for row in rows:
        extra = baseline[row.cell] * (row.ratio.ratio - 1)
        step = baseline.get(replace(row.cell, level="step", layout="contiguous", mode="eager"))
        share = None if step is None or row.cell.level == "step" else extra / step
        least = limits.seconds(*work(row.cell, flops[row.cell.config])) / row.microseconds * 1e6
        row = replace(row, extra_us=extra, step_share=share, limit_share=least)
        done.append(replace(row, verdict=verdict(row)))
    return done


def verdict(row: Row) -> str:
    """For example ``einops 1.8x slower at batch 1, 9 us a call: 0.2 % of a train step``."""
    ratio = row.ratio
    if row.backend == BASELINE:
        return "the baseline"
    if ratio.equivalent:
        return f"the same within {100 * MARGIN:.0f} % ({percent(ratio.low - 1)} to {percent(ratio.high - 1)})"
    if not ratio.differs:
        return f"undecided ({percent(ratio.low - 1)} to {percent(ratio.high - 1)})"
    word = "slower" if ratio.ratio > 1 else "faster"
    factor = max(ratio.ratio, 1 / ratio.ratio)
    amount = f"{factor:.1f}x" if factor >= 1.15 else f"{100 * abs(ratio.ratio - 1):.1f} %"
    text = f"{row.backend} {amount} {word} at batch {row.cell.batch}, {abs(row.extra_us):.3g} us a call"
    return text if row.step_share is None else f"{text}: {of_a_step(abs(row.step_share))}"


def of_a_step(share: float) -> str:
    """For example ``0.2 % of a train step``, ``1.1 train steps`` or ``48 train steps``."""
    if share < 0.99:
        return f"{100 * share:.2g} % of a train step"
    return f"{share:.1f} train steps" if share < 10 else f"{share:,.0f} train steps"


def percent(share: float) -> str:
    """A signed share in per cent, for example ``+3.1 %``."""
    return f"{100 * share:+.1f} %"


def _row(cell: Cell, name: str, timings: Mapping[str, Timing]) -> Row:
    timing = timings[name]
    return Row(
        cell=cell,
        backend=name,
        microseconds=timing.median * 1e6,
        spread=timing.iqr / timing.median,
        noisy=timing.noisy,
        rounds=len(timing.seconds),
        ratio=paired_ratio(timing, timings[BASELINE]),
        relative=paired_ratio(timing, timings["reference"]),
    )


def _call_seconds(task: Task, device: str) -> float:
    synchronize(device)
    start = perf_counter()
    task()
    synchronize(device)
    return perf_counter() - start


def prepare_compiler(device: str) -> None:
    """Forget compiled code, compile everything anew, and keep the compiler's own start out of the times."""
    warnings.filterwarnings("ignore", message=".*force disabled by.*")
    torch.compiler.config.force_disable_caches = True
    _start_compiler(device)
    torch._dynamo.reset()


@cache
def _start_compiler(device: str) -> None:
    """What only the first compilation of a process pays: imports, probing the C++ compiler, worker processes."""
    layer = torch.compile(torch.nn.Linear(4, 4).to(device))
    layer(torch.ones(2, 4, device=device)).relu().sum().backward()
