"""Kill a real small study again and again, at random moments, and see that it ends as one that nobody touched.

``nox -s chaos`` kills 50 times (CHAOS_KILLS), two studies beside each other, and writes results/chaos/; the suite
kills once. Victims are drawn by lot: a worker, a driver, all at once, by SIGKILL, or a driver by SIGTERM, as batch
systems do; in a third of the cases a second driver works on the same study. After every kill of a driver the same
command is typed again.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import torch

from bench.chaos_report import AGAIN, CONTINUED, MEASURED, NOTHING, VICTIMS, write
from bench.conftest import BENCH
from studies.cli.doing.planned import plan_of
from studies.cli.options import Asked
from studies.design.plan import Plan
from studies.findings.tables import runs_frame, write_tables
from studies.ledger.entries import LedgerError
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.ledger.states import unfinished
from studies.report.releasing import against
from studies.trial.care import Care
from studies.trial.trial import run_trial

pytestmark = [pytest.mark.slow, pytest.mark.host]

KILLS = int(os.environ.get("CHAOS_KILLS", "1"))
SEED = int(os.environ.get("CHAOS_SEED", "0"))
ABREAST = 2
MODEL = {"chunking": "horizontal", "patch_size": 14, "embed_dim": 8, "depth": 1, "num_heads": 1, "batch_size": 500}
COMMAND = ["run", "--quick", "--checkpoint-every", "0.2", "--retries", "1000"]
TIMES = [
    "train_seconds",
    "wall_seconds",
    "compile_seconds",
    "paused_seconds",
    "started_at",
    "host_memory_mib",
    *(f"{kind}_images_per_second{iqr}" for kind in ("train", "infer") for iqr in ("", "_iqr")),
]
HISTORY = ["attempt", "resumed"]
"""Columns of what happened to a trial; all others but ``TIMES`` are to be equal bit for bit."""
PATIENCE = 900
ENDS = (0, 130, -signal.SIGKILL, -signal.SIGTERM)  # the last: before it could listen, or after


@dataclass(frozen=True)
class Driver:
    """A command that was typed, and what it says."""

    process: subprocess.Popen[bytes]
    log: Path
    began: float

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def children(self) -> list[psutil.Process]:
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
            return [child for child in found if "spawn_main" in " ".join(child.cmdline())]
        except psutil.Error:
            return []

    @property
    def owner(self) -> str:
        """The name that it signs its attempts with: that of the lock that it holds; none before it took one."""
        try:
            files = [Path(file.path) for file in psutil.Process(self.process.pid).open_files()]
        except psutil.Error:
            return ""
        return next((file.stem for file in files if file.parent.name == ".drivers"), "")

    def end(self) -> None:
        assert self.process.wait(PATIENCE) in ENDS, self.said


@dataclass(frozen=True)
class Kill:
    """What was killed, and the attempts that ran in its hands: by id, whether their trial had a checkpoint."""

    victim: str
    second: float
    drivers: int
    phase: str
    hit: dict[int, bool]


class Chaos:
    """A study in a folder, and whoever works on it."""

    def __init__(self, folder: Path, seeds: int, epochs: int, factor: str = "pooling=cls,mean,map") -> None:
        settings = [f"{name}={value}" for name, value in {**MODEL, "epochs": epochs}.items()]
        sets = [word for setting in settings for word in ("--set", setting)]
        self.words = [*COMMAND, "--factor", factor, "--seeds", str(seeds), *sets, "--workers", "1"]
        self.folder, self.drivers, self.kills = folder, list[Driver](), list[Kill]()

    def start(self) -> Driver:
        number = len(list(self.folder.glob("*.log")))
        log = self.folder / f"{number}.log"
        self.folder.mkdir(exist_ok=True)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = str(Path(__file__).parents[1])
        command = [sys.executable, "-c", "from studies.cli import main; main()", *self.words, "--results", self.folder]
        with log.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
        self.drivers.append(Driver(process, log, time.monotonic()))
        return self.drivers[-1]

    def finish(self) -> None:
        driver = self.start()
        assert driver.process.wait(PATIENCE) == 0, driver.said

    @cached_property
    def home(self) -> ResultsFolder:
        """There as soon as a driver has made it."""
        (storage,) = self.folder.glob("*/study.db")
        return ResultsFolder(storage.parent)

    def ledger(self) -> Ledger | None:
        try:
            ledger = self.home.ledger()
            return ledger if ledger.notes("plan") else None
        except (ValueError, LedgerError):  # not made yet
            return None

    def phase(self, driver: Driver, ledger: Ledger | None) -> str:
        if ledger and ledger.entries() and not unfinished(ledger):
            return "after the last trial"
        said = driver.said
        return "between trials" if "to run with" in said else "measuring" if "measuring" in said else "starting"

    def strike(self, victim: str, driver: Driver) -> None:
        """Kill it, and note what it had in hand; a driver if there is no worker yet."""
        ledger, workers = self.ledger(), driver.children
        victim = "driver" if victim == "worker" and not workers else victim
        struck = [one for one in self.drivers if one.runs] if victim == "all at once" else [driver]
        owners = {owner for one in struck if (owner := one.owner)}
        children, phase = [child for one in struck for child in one.children], self.phase(driver, ledger)
        hit, second = _held(ledger, owners), time.monotonic() - driver.began
        if victim == "worker":
            children = [random.Random(second).choice(workers)]
            children[0].kill()
        elif victim == "SIGTERM":
            driver.process.terminate()
            driver.end()
        else:
            for one in struck:
                os.killpg(one.process.pid, signal.SIGKILL) if victim == "all at once" else one.process.kill()
            hit |= _held(ledger, owners) if not any(one.process.wait(PATIENCE) == 0 for one in struck) else set()
        psutil.wait_procs(children, PATIENCE)
        working = sum(one.runs or one in struck for one in self.drivers)
        kept = {trial_id: self._has_checkpoint(ledger, trial_id) for trial_id in hit}
        self.kills.append(Kill(victim, second, working, phase, kept))

    def _has_checkpoint(self, ledger: Ledger | None, trial_id: int) -> bool:
        assert ledger is not None
        (entry,) = [entry for entry in ledger.history() if entry.trial_id == trial_id]
        path = Care(self.home.checkpoints).path([entry.content_hash])
        return path is not None and path.exists()

    def harm(self, chance: random.Random, seconds: float, kills: int) -> None:
        """Kill until the study is finished, or so many times; then let it finish."""
        while len(self.kills) < kills:
            running = [driver for driver in self.drivers if driver.runs]
            running += [self.start() for _ in range((2 if chance.random() < 1 / 3 else 1) - len(running))]
            driver = chance.choice(running)
            moment = time.monotonic() + chance.uniform(0, seconds)
            while time.monotonic() < moment and driver.runs:
                time.sleep(0.01)
            if not driver.runs:
                assert driver.process.returncode == 0, driver.said
                break
            self.strike(chance.choice(VICTIMS), driver)
        for driver in self.drivers:
            driver.end()
        self.finish()

    def table(self) -> pd.DataFrame:
        """The final `runs`, after a look at the history: one complete result a trial."""
        ledger = self.home.ledger()
        complete = Counter(entry.content_hash for entry in ledger.history() if entry.state == "complete")
        assert set(complete.values()) == {1}
        assert len(complete) == len(ledger.plan.trials)
        return pd.read_parquet(self.home.parquet)

    def rows(self) -> list[dict[str, object]]:
        """One a kill: what became of what it hit."""
        ledger = self.home.ledger()
        history, final = {entry.trial_id: entry for entry in ledger.history()}, ledger.entries()
        names = {trial.content_hash: trial.label for trial in ledger.plan.trials}
        rows = []
        for kill in self.kills:
            outcomes = []
            for trial_id, kept in kill.hit.items():
                entry = history[trial_id]
                if entry.state == "complete":
                    outcomes.append(NOTHING)
                    continue
                record = final[entry.content_hash].record
                assert record["resumed"] >= kept, names[entry.content_hash]
                outcomes.append(CONTINUED if kept else AGAIN)
            running = [names[history[trial_id].content_hash] for trial_id in kill.hit]
            told = outcomes or [MEASURED if kill.phase == "measuring" else NOTHING]
            rows.append(
                {
                    "victim": kill.victim,
                    "second": round(kill.second, 1),
                    "drivers": kill.drivers,
                    "running": ", ".join(running) or kill.phase,
                    "outcome": ", ".join(told),
                }
            )
        return rows


def _held(ledger: Ledger | None, owners: set[str]) -> set[int]:
    """Ids of attempts in these hands."""
    return {lease.trial_id for lease in ledger.leases() if lease.owner in owners} if ledger else set()


def comparable(runs: pd.DataFrame) -> list[dict[str, str]]:
    """Rows without times and history, every value to its last bit."""
    rows = runs.drop(columns=[*TIMES, *HISTORY]).to_dict("records")
    for row in rows:
        row["curve"] = [{name: value for name, value in point.items() if name != "seconds"} for point in row["curve"]]
    return [{str(name): repr(value) for name, value in row.items()} for row in rows]


def compared(runs: pd.DataFrame) -> tuple[int, int]:
    """Rows and columns that ``comparable`` keeps."""
    return len(runs), len(runs.columns) - len(TIMES) - len(HISTORY)


def storage(folder: Path, plan: Plan, records: Mapping[str, dict[str, Any]]) -> Ledger:
    """A study whose speeds are known, and these results."""
    ledger = ResultsFolder(folder / plan.folder).ledger(create=True)
    ledger.plan = plan
    ledger.add_measurement({cell.content_hash: {"params": 1} for cell in plan.cells})
    for entry in ledger.enqueue_all(trial for trial in plan.trials if trial.content_hash in records):
        ledger.claim(entry)
        ledger.complete(entry, records[entry.content_hash])
    return ledger


@pytest.mark.skipif(KILLS > 1, reason="it is done in earnest")
def test_a_study_killed_with_everything_goes_on_from_a_checkpoint(tmp_path):
    """The small form: one trial of two is left to be run, nothing to be measured; what is expected is trained here."""
    torch.set_num_threads(1)
    chaos = Chaos(tmp_path / "struck", seeds=1, epochs=4, factor="pooling=cls,mean")
    settings = [f"{name}={value}" for name, value in {**MODEL, "epochs": 4}.items()]
    plan = plan_of(Asked(factors=["pooling=cls,mean"], quick=True, seeds=1, settings=settings))
    records = {trial.content_hash: run_trial(trial.setup, trial.seed, "cpu").record for trial in plan.trials}
    runs = runs_frame(storage(tmp_path / "untouched", plan, records), plan)
    write_tables(tmp_path / "untouched", runs, runs, runs)
    storage(chaos.folder, plan, {plan.trials[1].content_hash: records[plan.trials[1].content_hash]})
    driver, deadline = chaos.start(), time.monotonic() + PATIENCE
    while not list(chaos.home.checkpoints.glob("[!.]*")):
        assert driver.runs, driver.said
        assert time.monotonic() < deadline
        time.sleep(0.01)
    chaos.strike("all at once", driver)
    chaos.finish()
    assert comparable(chaos.table()) == comparable(pd.read_parquet(ResultsFolder(tmp_path / "untouched").parquet))
    (row,) = chaos.rows()
    hit = {"victim": "all at once", "drivers": 1, "running": "cls seed 0", "outcome": CONTINUED}
    assert row == {**hit, "second": row["second"]}
    write(tmp_path / "chaos", [{"kill": 1, "study": 1, **row}], 1, compared(chaos.table()), chaos.words)
    page = (tmp_path / "chaos" / "README.md").read_text()
    assert "**Result.** Killed 1 times, 1 studies ended each with the table `runs` of one" in page
    assert "| all at once | 1 | 0 | 0 | 0 |" in page
    assert page.endswith(" UTC\n")
    assert [page_fact for page_fact in against(tmp_path / "chaos") if "does not say" in page_fact] == []


@pytest.mark.skipif(KILLS == 1, reason="nox -s chaos")
def test_a_study_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(request, tmp_path):
    whole = Chaos(tmp_path / "untouched", seeds=2, epochs=4)
    began = time.monotonic()
    whole.finish()
    seconds, expected = time.monotonic() - began, comparable(whole.table())
    assert len(expected) == 6

    def harmed(lane: int) -> list[Chaos]:
        """So many studies that a share of all kills has struck."""
        chance, done = random.Random(f"{SEED} {lane}"), list[Chaos]()
        left = KILLS // ABREAST + (lane < KILLS % ABREAST)
        while left:
            done.append(Chaos(tmp_path / f"study-{lane}-{len(done)}", seeds=2, epochs=4))
            done[-1].harm(chance, seconds, left)
            assert comparable(done[-1].table()) == expected
            left -= len(done[-1].kills)
        return done

    with ThreadPoolExecutor(ABREAST) as lanes:
        studies = [chaos for found in lanes.map(harmed, range(ABREAST)) for chaos in found]
    told = [{"study": number, **row} for number, chaos in enumerate(studies, 1) for row in chaos.rows()]
    assert len(told) == KILLS
    rows = [{"kill": number, **row} for number, row in enumerate(told, 1)]
    write(request.config.stash[BENCH].folder.parent / "chaos", rows, len(studies), compared(whole.table()), whole.words)
