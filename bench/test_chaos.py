"""Kill a real small study again and again, at random moments, and see that it ends as one that nobody touched.

``nox -s chaos`` kills 50 times (CHAOS_KILLS) and writes results/chaos/; as a test it kills twice. Victims are drawn by
lot: a worker, a driver, everything at once, by SIGKILL, or a driver by SIGTERM, as batch systems do; a second driver
may be at work beside the first. After every kill of a driver the same command is typed again.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.conftest import BENCH
from bench.doctor import provenance
from bench.tables import write_both
from studies.ledger.folder import ResultsFolder

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("CHAOS_KILLS", "2"))
FULL = 20  # so many are worth a table
SEED = int(os.environ.get("CHAOS_SEED", "0"))
VICTIMS = ("worker", "driver", "all", "SIGTERM")
STUDY = ["chunking=horizontal", "patch_size=14", "embed_dim=8", "depth=1", "num_heads=1", "batch_size=500"]
SAME = ("val_accuracy", "val_loss", "test_accuracy", "test_loss", "train_loss", "test_correct")
PHASES = {"to run with": "training", "measuring": "measuring"}
PATIENCE = 600
ENDS = (0, 130, -signal.SIGKILL, -signal.SIGTERM)  # the last: before it could listen
TITLE = f"""# Killed at random moments

A study of three arms on MNIST, of a model that trains in about a second, with one worker a driver, killed again and
again, and started again with the same command, until it was finished; then the next one. A
study is *equal* if its table has the same rows, each trial once, and {", ".join(SAME)} and the learning curve are
equal bit for bit to those of a run that nobody touched. `beside` counts kills while a second driver worked on the
same study, which it did in a third of the cases.
"""


DRIVER = """
import dataclasses, sys
from pathlib import Path
import studies.catalog
from studies.cli.screen import PlainScreen
from studies.cli.console import out
from studies.design.expand import expand
from studies.design.study import STUDIES
from studies.ledger.folder import ResultsFolder
from studies.running.effort import Effort
from studies.running.processes import ProcessExecutor
from studies.running.runner import Runner
from studies.trial.care import Care

folder, seeds, epochs = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
small = dict(chunking="horizontal", patch_size=14, embed_dim=8, depth=1, num_heads=1, batch_size=500, epochs=epochs)
study = dataclasses.replace(STUDIES["pooling"], factors={"pooling": ("cls", "mean", "map")}).with_settings(small)
plan = expand(dataclasses.replace(study, seeds=seeds), "cpu")
home, brief, care = ResultsFolder(folder / "study"), Effort(1, 0.001), Care(every=0.2)
ledger = home.ledger(create=True)
runner = Runner(plan, ledger, home, ProcessExecutor(1), brief, PlainScreen(out), care=care, retries=1000)
progress = runner.run()
sys.exit(130 if runner.stop.asked else 3 if progress.failed else 0)
"""


class Chaos:
    """A study in a folder, and whoever works on it."""

    def __init__(self, folder: Path, seeds: int, epochs: int) -> None:
        self.words = [str(folder), str(seeds), str(epochs)]
        self.folder, self.number = folder, 0

    def start(self) -> tuple[subprocess.Popen[bytes], Path]:
        self.number += 1
        log = self.folder.parent / f"{self.folder.name}-{self.number}.log"
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = str(Path(__file__).parents[1])
        with log.open("wb") as file:
            command = [sys.executable, "-c", DRIVER, *self.words]
            driver = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
        return driver, log

    def finish(self) -> None:
        driver, log = self.start()
        assert driver.wait(PATIENCE) == 0, log.read_text(encoding="utf-8")

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """What training decided, by trial; one complete result each, in all attempts together."""
        (storage,) = self.folder.glob("*/study.db")
        ledger = ResultsFolder(storage.parent).ledger()
        complete = Counter(entry.content_hash for entry in ledger.history() if entry.state == "complete")
        assert set(complete.values()) == {1}
        found = {}
        for name, entry in ledger.entries().items():
            assert entry.state == "complete", entry.reason
            curve = [{k: v for k, v in point.items() if k != "seconds"} for point in entry.record["curve"]]
            found[name] = {field: entry.record[field] for field in SAME} | {"curve": curve}
        return found


def strike(driver: subprocess.Popen[bytes], victim: str, chance: random.Random) -> str:
    """Kill it; returns what was hit, a driver if there was no worker yet."""
    if victim == "worker":
        children = psutil.Process(driver.pid).children(recursive=True) if driver.poll() is None else []
        workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        if workers:
            chance.choice(workers).kill()
            return victim
        victim = "driver"
    if victim == "all":
        os.killpg(driver.pid, signal.SIGKILL)
    else:
        driver.send_signal(signal.SIGTERM if victim == "SIGTERM" else signal.SIGKILL)
    return victim


def harm(chaos: Chaos, chance: random.Random, seconds: float, kills: int) -> list[tuple[str, str, bool]]:
    """Kill until the study is finished, or so many times; returns what was hit, when, and whether two worked on it."""
    done: list[tuple[str, str, bool]] = []
    drivers: list[tuple[subprocess.Popen[bytes], Path]] = []
    try:
        while len(done) < kills:
            drivers = [(driver, log) for driver, log in drivers if driver.poll() is None]
            wanted = 2 if chance.random() < 1 / 3 else 1
            while len(drivers) < wanted:
                drivers.append(chaos.start())
            driver, log = chance.choice(drivers)
            moment = time.monotonic() + chance.uniform(0, seconds)
            while time.monotonic() < moment and driver.poll() is None:
                time.sleep(0.01)
            if driver.poll() is not None:
                assert driver.returncode == 0, log.read_text(encoding="utf-8")
                return done
            said = log.read_text(encoding="utf-8", errors="replace")
            phase = next((phase for words, phase in PHASES.items() if words in said), "starting")
            hit = strike(driver, chance.choice(VICTIMS), chance)
            done.append((hit, phase, len(drivers) > 1))
            if hit != "worker":
                assert driver.wait(PATIENCE) in ENDS, log.read_text(encoding="utf-8")
                drivers.remove((driver, log))
        return done
    finally:
        for driver, log in drivers:
            assert driver.wait(PATIENCE) in ENDS, log.read_text(encoding="utf-8")


def test_a_study_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(request, tmp_path):
    full, chance = KILLS >= FULL, random.Random(SEED)
    seeds, epochs = (3, 2) if full else (1, 2)
    untouched = Chaos(tmp_path / "untouched", seeds, epochs)
    began = time.monotonic()
    untouched.finish()
    seconds, expected = time.monotonic() - began, untouched.outcomes()
    assert len(expected) == 3 * seeds
    struck: list[tuple[str, str, bool]] = []
    studies = 0
    while len(struck) < KILLS:
        chaos = Chaos(tmp_path / f"study-{studies}", seeds, epochs)
        struck += harm(chaos, chance, seconds, KILLS - len(struck))
        chaos.finish()
        assert chaos.outcomes() == expected
        studies += 1
    assert len(struck) == KILLS
    if full:
        rows = [row(victim, struck) for victim in VICTIMS]
        rows.append({**row("any", struck), "studies": studies, "equal": studies, "trials": studies * len(expected)})
        folder = request.config.stash[BENCH].folder.parent / "chaos"
        write_both(folder, "chaos", TITLE, rows, provenance(f"CHAOS_KILLS={KILLS} nox -s chaos", "cpu"))


def row(victim: str, struck: list[tuple[str, str, bool]]) -> dict[str, Any]:
    mine = [(phase, beside) for hit, phase, beside in struck if victim in (hit, "any")]
    phases = Counter(phase for phase, _ in mine)
    counts = {phase: phases[phase] for phase in ("starting", "measuring", "training")}
    none = {"studies": None, "equal": None, "trials": None}
    return {"victim": victim, "kills": len(mine), **counts, "beside": sum(beside for _, beside in mine), **none}
