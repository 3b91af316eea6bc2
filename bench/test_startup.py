"""How soon the command answers: processor and wall seconds of whole processes, as a shell starts them.

`pytest bench` starts each once; `pytest bench/test_startup.py --benchmark-enable` repeats them on a machine that does
nothing else, and writes startup.csv and startup.md.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest

from bench.conftest import BENCH
from bench.doctor import provenance
from bench.tables import write_both
from studies.cli import known

pytestmark = pytest.mark.host

REPEATS = 7
TITLE = f"""# How soon the command answers

Medians of {REPEATS} starts of a process each, the commands taking turns: seconds by the clock, and of the processor
(user and system). `promised` is the bound that the median by the clock may not exceed. Files are in the system's
cache and Python's bytecode is written; `first` is the first command after a change of the source: it asks the
registries.
"""
PROGRAM = "import sys; sys.argv[0] = 'vit-ablate'; from studies.cli import main; main()"


@dataclass(frozen=True)
class Start:
    """A command, its exit code and the seconds by the clock that it may take."""

    words: tuple[str, ...]
    code: int = 0
    promised: float | None = None
    first: bool = False

    @property
    def label(self) -> str:
        return " ".join(["vit-ablate", *(word for word in self.words if "/" not in word)])


STARTS = (
    Start(("--help",), promised=0.4),
    Start(("run", "--help"), promised=0.4),
    Start(("nosuch",), 2, promised=0.4),
    Start(("run", "nosuch"), 2, promised=0.4),
    Start(("run", "pooling", "--set", "nosuch=1"), 2, promised=0.4),
    Start(("list",), promised=1.0),
    Start(("status", "--results", "{results}"), promised=1.0),
    Start(("table", "results/published/ablations-mnist-cpu"), promised=2.0),
    Start(("plan", "ablations", "--device", "cpu"), promised=3.0),
    Start(("list",), first=True),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder with a small study: 24 arms, 120 trials done."""
    from bench.test_runner_overhead import filled, plan_of

    folder = tmp_path_factory.mktemp("results")
    filled(folder / "ablations-mnist-cpu", plan_of(120), 120)
    return folder


def seconds_of(start: Start, results: Path) -> tuple[float, float]:
    """By the clock and of the processor, of one process."""
    words = [word.format(results=results) for word in start.words]
    if start.first:
        known.memory().unlink(missing_ok=True)
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True)
    clock, after = perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == start.code, done.stderr
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row(start: Start, taken: list[tuple[float, float]]) -> dict[str, Any]:
    clock, processor = (median(values) for values in zip(*taken, strict=True))
    what = f"{start.label}{' (first)' if start.first else ''}"
    return {"command": what, "seconds": clock, "processor_seconds": processor, "promised": start.promised}


def test_it_starts_at_once(request, results):
    bench = request.config.stash[BENCH]
    seconds_of(Start(("list",)), results)  # names are remembered, bytecode is written
    taken: dict[Start, list[tuple[float, float]]] = {start: [] for start in STARTS}
    for _ in range(REPEATS if bench.enabled else 1):
        for start in STARTS:
            taken[start].append(seconds_of(start, results))
    rows = [row(start, values) for start, values in taken.items()]
    if bench.enabled and not bench.comparing:
        write_both(bench.folder, "startup", TITLE, rows, provenance(bench.command, "cpu"))
        late = [found for found in rows if found["promised"] and found["seconds"] > found["promised"]]
        assert late == []
