"""What the runner itself costs: a no-op trial in the real ledger, and all tables of many records.

`pytest bench` does little of it; `pytest bench --benchmark-enable` the whole, and writes runner.csv and .md.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest

import studies.catalog  # noqa: F401  registers the studies
from bench.conftest import BENCH
from bench.doctor import provenance
from bench.meters import host_peak
from bench.tables import write_both
from studies.design.expand import expand
from studies.design.plan import Plan, Trial
from studies.design.study import STUDIES
from studies.findings.findings import find
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.ledger.streaming import each
from studies.ledger.urls import file_of
from studies.report.publishing import publish
from studies.trial.trial import describe

pytestmark = pytest.mark.host

DONE, TRIALS, RECORDS = (100, 1000, 5000), 60, 100_000
FEW_DONE, FEW_TRIALS, FEW_RECORDS = (20, 200), 5, 2000
GROWTH = 1.3
"""A trial with 5,000 done may take so many times as long as with 100 done; on a busy disk it jitters by half that."""
ALL_MIB = 1024.0
"""What tables, README and report of ``RECORDS`` may take together."""
TITLE = """# What the runner costs

`a trial`: enqueue, claim and complete with a record of some 2 kB in the real ledger (SQLite, every write synced to
disk), median in milliseconds, the ledgers with fewer and with more trials done taking turns. `tables`: from a
storage with so many complete trials of the study `ablations` (24 arms), `README and report` with all figures; we aim
at 15 seconds and 1 GiB.
`peak` is the resident memory of the whole process, torch and pandas included.
"""


@pytest.fixture(scope="module")
def full(request):
    return request.config.stash[BENCH].enabled


@pytest.fixture(scope="module")
def rows(request, full):
    found: list[dict[str, Any]] = []
    yield found
    bench = request.config.stash[BENCH]
    if full and not bench.comparing and len(found) == len(DONE) + 3:
        write_both(bench.folder, "runner", TITLE, found, provenance(bench.command, "cpu"))


def row(what: str, number: int, **measured: float) -> dict[str, Any]:
    empty = dict.fromkeys(("milliseconds", "enqueue_ms", "claim_ms", "complete_ms", "seconds", "peak_mib"))
    return {"what": what, "trials_done": number, **empty, **measured}


def plan_of(num_trials: int) -> Plan:
    """The default study with so many seeds that it has at least so many trials."""
    study = STUDIES["ablations"]
    cells = len(expand(study, "cpu").runnable)
    return expand(dataclasses.replace(study, seeds=-(-num_trials // cells)), "cpu")


def record_of(trial: Trial) -> dict[str, Any]:
    """As training would leave it, numbers drawn by hash: arms differ, seeds share some luck."""
    return describe(trial.setup, trial.seed, "cpu") | outcome(trial.cell.name, trial.seed)


def outcome(cell: str, seed: int) -> dict[str, Any]:
    accuracy = 0.9 + hash((cell, 1)) % 97 / 2000 + hash((seed, 2)) % 89 / 9000 + hash((cell, seed)) % 101 / 9000
    curve = [
        {"epoch": n, "learning_rate": 0.01, "train_loss": 1 / n, "val_loss": 1 / n, "val_accuracy": accuracy - 0.1 / n}
        for n in (1, 2)
    ]
    losses = {"val_loss": 1 - accuracy, "test_loss": 1.01 - accuracy, "train_loss": 0.1}
    seconds = {"train_seconds": 10 + seed % 7, "wall_seconds": 12.0 + seed % 7}
    scores = {"val_accuracy": accuracy - 0.01, "test_accuracy": accuracy, "curve": curve}
    return losses | seconds | scores | {"host_memory_mib": 512.0}


def fill(ledger: Ledger, plan: Plan, number: int) -> None:
    """Complete the first trials in one transaction: through Optuna, 100,000 would take half an hour."""
    known = {cell.name: record_of(Trial(cell, 0)) for cell in plan.runnable}
    hashes = {cell.name: cell.content_hash for cell in plan.runnable}
    trials, values, attrs = [], [], []
    for index, trial in enumerate(plan.trials[:number]):
        name, trial_id = trial.cell.name, index + 1
        record = known[name] | outcome(name, trial.seed) | {"seed": trial.seed}
        facts = {"hash": f"{hashes[name]}-{trial.seed}", "cell_hash": hashes[name], "cell": name, "seed": trial.seed}
        facts |= {"attempt": 1, "record": record} | {f"level:{k}": v for k, v in trial.cell.levels.items()}
        trials.append((trial_id, index, "COMPLETE"))
        values.append((trial_id, record["val_accuracy"]))
        attrs += [(trial_id, key, json.dumps(value)) for key, value in facts.items()]
    with sqlite3.connect(file_of(ledger.url)) as storage:
        storage.executemany("INSERT INTO trials (trial_id, number, study_id, state) VALUES (?, ?, 1, ?)", trials)
        text = "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, 0, ?, 'FINITE')"
        storage.executemany(text, values)
        storage.executemany("INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, ?, ?)", attrs)
    storage.close()


def filled(folder: Path, plan: Plan, number: int) -> Ledger:
    ledger = ResultsFolder(folder).ledger(create=True)
    ledger.plan = plan
    ledger.note("provenance", {"command": "vit-ablate run ablations", "workers": 2, "machine": {}})
    ledger.add_measurement({cell.content_hash: measured(i) for i, cell in enumerate(plan.runnable)})
    fill(ledger, plan, number)
    return ledger


def measured(i: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"params": 20_000 + 40 * i, "flops": 200_000 + 9_000 * i}
    for kind in ("train", "infer"):
        rounds = [1000.0 * (i + 1) + n for n in range(5)]
        speed = f"{kind}_images_per_second"
        facts |= {speed: rounds[2], f"{speed}_iqr": 2.0, f"{kind}_rounds": rounds, f"{kind}_noisy": False}
    memory = {"gpu_memory_mib": 50.0 + i, "gpu_reserved_mib": None, "gpu_memory_source": "predicted"}
    return facts | memory


def one_trial(ledger: Ledger, trial: Trial, record: dict[str, Any]) -> tuple[float, float, float]:
    """Seconds to enqueue, claim and complete."""
    start = perf_counter()
    entry = ledger.enqueue(trial)
    queued = perf_counter()
    assert ledger.claim(entry)
    claimed = perf_counter()
    ledger.complete(entry, record)
    return queued - start, claimed - queued, perf_counter() - claimed


def test_a_trial_costs_the_same_however_many_are_done(tmp_path, full, rows):
    done, number = (DONE, TRIALS) if full else (FEW_DONE, FEW_TRIALS)
    plan = plan_of(max(done) + number)
    ledgers = {n: filled(tmp_path / str(n), plan, n) for n in done}
    seconds = {n: [] for n in done}
    for i in range(number):
        for n, ledger in ledgers.items():
            trial = plan.trials[n + i]
            seconds[n].append(one_trial(ledger, trial, record_of(trial)))
    for n, ledger in ledgers.items():
        entries = ledger.entries()
        assert len(entries) == n + number
        assert {entry.state for entry in entries.values()} == {"complete"}
    typical = {n: median(sum(parts) for parts in taken) for n, taken in seconds.items()}
    for n, taken in seconds.items():
        parts = dict(zip(("enqueue_ms", "claim_ms", "complete_ms"), zip(*taken, strict=True), strict=True))
        parts = {name: 1000 * median(values) for name, values in parts.items()}
        rows.append(row("a trial", n, milliseconds=1000 * typical[n], **parts))
    if full:
        assert typical[max(done)] < GROWTH * typical[min(done)]


def test_all_tables_of_many_records(tmp_path, full, rows):
    number = RECORDS if full else FEW_RECORDS
    folder = ResultsFolder(tmp_path / "ablations-mnist-cpu")
    ledger = filled(folder.path, plan_of(number), number)
    tasks = {"tables, README and report": partial(publish, folder=folder), "tables": find, "read all": num_complete}
    for what, task in tasks.items():
        start = perf_counter()
        with host_peak() as peak:
            found = task(ledger)
        rows.append(row(what, number, seconds=perf_counter() - start, peak_mib=peak.mib))
        assert (found if what == "read all" else (found.runs["status"] == "complete").sum()) == number
        del found
    assert {path.name for path in folder.path.iterdir()} >= {"runs.csv", "contrasts.csv", "README.md", "report.html"}
    if full:
        whole = rows[-len(tasks)]
        assert whole["peak_mib"] < ALL_MIB


def num_complete(ledger: Ledger) -> int:
    return sum(entry.state == "complete" for entry, _ in each(ledger))
