"""Options and output of the benches: what was measured is written when the session ends."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import pytest
import torch

from bench.cells import Cell, compiled_cells, eager_cells, left_out
from bench.chunking_report import headline, write_report
from bench.compare import THRESHOLD, Baseline, load_baseline
from bench.doctor import provenance
from bench.limits import Limits, measure_limits
from bench.machine import device_label, pick_device, processor_label
from bench.rows import Protocol, Row, with_verdicts

BENCH: pytest.StashKey[Bench] = pytest.StashKey()


class Bench:
    """One session: its options, what it measured, and where that goes."""

    def __init__(self, config: pytest.Config) -> None:
        def option(name: str, default: object = None) -> object:
            return config.getoption(name, default)  # absent where pytest found this file late

        self.enabled = bool(option("benchmark_enable")) or not option("benchmark_disable", True)
        self.command = " ".join(["pytest", *config.invocation_params.args])
        device = str(option("device", "cpu"))
        self.protocol = Protocol(
            device=pick_device() if device == "auto" else device,
            rounds=int(str(option("rounds", 15))),
            round_seconds=float(str(option("round_seconds", 0.005))),
        )
        self.folder = Path(str(option("results", "results"))) / f"bench-{device_label(self.protocol.device)}"
        self.rows: list[Row] = []
        self.baseline: Baseline = {}
        self.threshold = float(str(option("threshold", THRESHOLD)))
        self.comparing = option("compare") is not None
        self.eager = bool(option("eager", False))
        if self.comparing:
            published = self.folder.parent / "published" / self.folder.name / "chunking.csv"
            kept = Path(str(option("compare") or published))
            self.baseline = load_baseline(kept, processor_label(self.protocol.device))

    @cached_property
    def first_limits(self) -> Limits:
        """This device at its best, with one thread; measured when first asked for."""
        return measure_limits(self.protocol.device)

    @cached_property
    def candidates(self) -> list[Cell]:
        """All cells, measured or not."""
        return [*eager_cells(), *compiled_cells()]

    @cached_property
    def cells(self) -> list[Cell]:
        """The cells to measure on this device."""
        return [cell for cell in self.candidates if self.why_not(cell) is None]

    def why_not(self, cell: Cell) -> str | None:
        """Why a cell is not measured, or None."""
        if self.eager and cell.mode == "compile":
            return "compiled: left out by --eager"
        return left_out(cell, self.protocol.device)

    def finish(self) -> list[str]:
        """Write the tables of a full run; returns lines for the terminal."""
        limits = self.first_limits.best(measure_limits(self.protocol.device))
        rows = with_verdicts(self.rows, limits)
        lines = headline(rows)
        if self.comparing:
            compared = sum(row.key in self.baseline for row in rows)
            return [*lines, f"{compared} of {len(rows)} rows compared with the kept baseline, which stays as it is"]
        if {row.cell for row in rows} != set(self.cells):
            return [*lines, f"{len({row.cell for row in rows})} of {len(self.cells)} cells measured: nothing written"]
        skipped = {str(c): why for c in self.candidates if (why := self.why_not(c))}
        write_report(self.folder, rows, limits, skipped, provenance(self.command, self.protocol.device))
        return [*lines, f"written: {self.folder}/chunking.md, chunking.csv, chunking.png"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the benches; `--benchmark-enable` switches them on."""
    group = parser.getgroup("vit-ablate benches")
    group.addoption("--device", default="cpu", help="auto, cpu, cuda or mps (default: cpu)")
    group.addoption("--rounds", type=int, default=15, help="rounds of every comparison (default: 15)")
    group.addoption("--round-seconds", type=float, default=0.005, help="length of a burst (default: 0.005)")
    group.addoption("--eager", action="store_true", help="time nothing that is to be compiled, which takes minutes")
    group.addoption("--results", default="results", help="where tables go (default: results)")
    group.addoption(
        "--compare",
        nargs="?",
        const="",
        metavar="CSV",
        help="fail where a kept chunking.csv got slower (default: the published one); writes nothing",
    )
    text = f"factor from which --compare counts a row as slower (default: {THRESHOLD})"
    group.addoption("--threshold", type=float, default=THRESHOLD, help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options."""
    try:
        config.stash[BENCH] = Bench(config)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    if config.stash[BENCH].comparing and not config.stash[BENCH].enabled:
        raise pytest.UsageError("--compare needs --benchmark-enable")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Time on a GPU is dear: what does not need it is measured with ``--device cpu``."""
    bench = config.stash[BENCH]
    if bench.enabled and bench.protocol.device != "cpu":
        reason = f"says nothing of {bench.protocol.device}: `--device cpu` measures it"
        for item in items:
            if item.get_closest_marker("host"):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    """The session's bench; while benches are enabled one torch thread, and float32 that is no TF32."""
    found = request.config.stash[BENCH]
    if found.enabled:
        torch.set_num_threads(1)
        torch.backends.cudnn.allow_tf32 = False  # of convolutions, which torch allows and of other products does not
        _ = found.first_limits
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write the tables of a full run, and say where they are."""
    if config.stash[BENCH].rows:
        terminalreporter.section("chunking")
        for line in config.stash[BENCH].finish():
            terminalreporter.write_line(line)
