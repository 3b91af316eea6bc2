"""How many trials a second one driver, one PostgreSQL and a Dask cluster of 1 to 16 workers manage, and what it costs.

Trials train nothing (``no_trial``): what is left is the way to a worker and back. `pytest bench` does a little of it;
`pytest bench/test_scale.py --benchmark-enable` the whole, and writes scale.csv and scale.md.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from statistics import median
from time import perf_counter, sleep
from typing import Any

import psutil
import pytest
from sqlalchemy import text

import clusters
import servers
from bench.conftest import BENCH
from bench.doctor import provenance
from bench.tables import write_both
from bench.test_runner_overhead import measured, plan_of
from no_trial import no_trial, ready, second
from studies.design.plan import Plan
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.ledger.states import states, unfinished
from studies.ledger.urls import without_password
from studies.running.cluster import ClusterExecutor
from studies.running.committing import Reach
from studies.running.effort import BRIEF
from studies.running.packs import Packing
from studies.running.progress import Observer, Progress
from studies.running.queue import Queued, known_to
from studies.running.runner import Runner

pytestmark = [pytest.mark.slow, pytest.mark.host]

WORKERS, FEW_WORKERS = (1, 2, 4, 8, 16), (2,)
SEEDS, FEW_SEEDS = 20, 1  # of 24 arms, for every number of workers
SIZES, FEW_SIZES = (1_000, 10_000), (240,)
REPEATS = 30
NAME = "ablations-mnist-cpu"
TITLE = """# How far one driver, one PostgreSQL and a Dask cluster go

Trials that train nothing, by the real runner: a driver, a scheduler, a PostgreSQL (on a socket, not synced to disk) and
all workers on this one machine, so that they share its cores. `no trial` ends at once, `a second` sleeps for one.
`trials per second` from the first end to the last; the columns `... cpu ms` are milliseconds of processor a trial, of
all workers together; `connections` to PostgreSQL, the driver's among them. `part`: one step of a trial after another in
one process, median by the clock; `statements` that PostgreSQL is sent for it, each a round trip. `study`: of so many
trials that wait, milliseconds a trial of putting them there (`enqueue`), of what a driver reads when it begins again
and of a look at what others took; milliseconds, not a trial, of choosing what is next among all (`choose`, of trials
alone or of packs); `bytes` a trial takes in PostgreSQL with its indices, waiting and complete.
"""
COLUMNS = ("trials_per_second", "driver_cpu_ms", "scheduler_cpu_ms", "workers_cpu_ms", "server_cpu_ms", "connections")
COLUMNS += ("milliseconds", "statements", "bytes")


@pytest.fixture(scope="module")
def full(request):
    return request.config.stash[BENCH].enabled


@pytest.fixture(scope="module")
def rows(request, full):
    found: list[dict[str, Any]] = []
    yield found
    bench = request.config.stash[BENCH]
    if full and not bench.comparing and {row["what"] for row in found} == {"no trial", "a second", "part", "study"}:
        write_both(bench.folder, "scale", TITLE, found, provenance(bench.command, "cpu"))


@pytest.fixture(scope="module")
def server():
    with servers.postgres() as running:
        yield running


@pytest.fixture(scope="module")
def ledger(server):
    made = Ledger(server.database(), NAME, create=True)
    made.add_measurement({cell.content_hash: measured(i) for i, cell in enumerate(plan_of(1).runnable)})
    return made


def row(what: str, name: str, number: int, **found: float) -> dict[str, Any]:
    return {"what": what, "name": name, "workers_or_trials": number, **dict.fromkeys(COLUMNS), **found}


class Spent:
    """Seconds of processor of processes and their children, since it was made."""

    def __init__(self, **pids: Iterable[int]) -> None:
        self.pids = {name: list(of) for name, of in pids.items()}
        self.before = {name: self._now(name) for name in pids}

    def each(self, trials: int) -> dict[str, float]:
        """Milliseconds a trial."""
        return {f"{name}_cpu_ms": 1e3 * self._since(name) / trials for name in self.pids}

    def _since(self, name: str) -> float:
        return sum(now - self.before[name].get(pid, 0.0) for pid, now in self._now(name).items())

    def _now(self, name: str) -> dict[int, float]:
        found = {}
        for process in [psutil.Process(pid) for pid in self.pids[name]]:
            for one in [process] if name == "driver" else [process, *process.children(recursive=True)]:
                times = one.cpu_times()
                found[one.pid] = times.user + times.system
        return found


class Watch(Observer):
    """Notes when trials end, and what it takes from the first beginning on."""

    def __init__(self, spent: Callable[[], Spent], connections: Callable[[], int]) -> None:
        self.spent, self.connections = spent, connections
        self.ends: list[float] = []
        self.most = 0

    def training(self, progress: Progress) -> None:
        self.meter, self.total, self.ends = self.spent(), progress.waiting, []

    def finished(self, *_: object) -> None:
        self.ends.append(perf_counter())
        if len(self.ends) == self.total // 2:
            self.most = self.connections()

    def found(self) -> dict[str, float]:
        rate = (len(self.ends) - 1) / (self.ends[-1] - self.ends[0])
        return {"trials_per_second": rate, "connections": self.most, **self.meter.each(len(self.ends))}


def seeds_of(plan: Plan, begin: int, number: int) -> Plan:
    return dataclasses.replace(plan, seeds=list(range(begin, begin + number)))


def watched(cluster: clusters.Cluster, server: servers.Server) -> Watch:
    """Of everything that takes part."""
    scheduler, *workers = (process.pid for process in cluster.processes)
    pids = {"driver": [psutil.Process().pid], "scheduler": [scheduler], "workers": workers}

    def connections() -> int:
        return server.ask("SELECT count(*) FROM pg_stat_activity WHERE usename IS NOT NULL") - 1

    return Watch(lambda: Spent(**pids, server=[server.pid]), connections)


@pytest.mark.parametrize("trial", [no_trial, second])
def test_trials_a_second_of_more_and_more_workers(tmp_path, trial, full, rows, server, ledger, monkeypatch):
    monkeypatch.setattr("studies.running.runner.run_trial", trial)
    name, first = {no_trial: ("no trial", 0), second: ("a second", 10_000)}[trial]
    if trial is second and not full:
        pytest.skip("a table for a person; what it would show is asserted of trials that take no time")
    seeds, reach = SEEDS if full else FEW_SEEDS, Reach(without_password(ledger.url), NAME)
    with clusters.cluster(tmp_path, workers=1) as cluster:
        for n in WORKERS if full else FEW_WORKERS:
            while len(cluster.processes) <= n:
                cluster.start_worker()
            with ClusterExecutor(cluster.address, fit=reach) as executor:
                while executor.slots < n:
                    sleep(0.5)
                for task in [executor.submit(ready) for _ in range(2 * n)]:
                    task.result()
            executor = ClusterExecutor(cluster.address, fit=reach)
            watch = watched(cluster, server)
            plan, first = seeds_of(plan_of(1), first, seeds), first + seeds
            Runner(plan, ledger, ResultsFolder(tmp_path / NAME), executor, BRIEF, watch, pack=1).run()
            assert len(watch.ends) == len(plan.trials)
            entries = ledger.entries()
            assert {entries[t.content_hash].state for t in plan.trials} == {"complete"}
            assert all(entries[t.content_hash].attempt == 1 for t in plan.trials)
            rows.append(row(name, "workers", n, **watch.found()))


def timed(work: Callable[[], Any], taken: list[float]) -> Any:
    start = perf_counter()
    found = work()
    taken.append(1e3 * (perf_counter() - start))
    return found


def test_every_part_of_a_trial(full, rows, server, ledger):
    """As driver and worker do them, one after another; what the driver does with a result that is written already, too.

    PostgreSQL says of every statement that it was sent, in a second round, which is not timed.
    """
    repeats = REPEATS if full else 3
    worker = Ledger(ledger.url, NAME)
    trials = iter(seeds_of(plan_of(1), 20_000, 10).trials)
    timings, statements = dict[str, list[float]](), dict[str, list[int]]()
    for counting in (False, True):
        server.log_statements(counting)
        for _ in range(repeats):
            trial = next(trials)
            entry = ledger.enqueue(trial)
            outcome = no_trial(trial.setup, trial.seed, "cpu")
            parts: dict[str, Callable[[], Any]] = {
                "claim": lambda e=entry: ledger.claim(e),
                "take over": lambda e=entry: worker.take_over(e),
                "deaths": lambda e=entry: worker.deaths(e),
                "write": lambda e=entry, o=outcome: worker.complete(e, o.record),
                "written already": lambda e=entry, o=outcome: ledger.complete(e, o.record),
                "beat": worker.beat,
                "no trial": lambda t=trial: no_trial(t.setup, t.seed, "cpu"),
            }
            for name, work in parts.items():
                before = server.statements()
                timed(work, [] if counting else timings.setdefault(name, []))
                if counting:
                    statements.setdefault(name, []).append(server.statements() - before)
    server.log_statements(False)
    for name, taken in timings.items():
        rows.append(row("part", name, 1, milliseconds=median(taken), statements=median(statements[name])))
    assert 3 <= median(statements["claim"]) <= 12
    assert median(statements["no trial"]) == 0


def test_what_a_large_study_costs(full, rows, server):
    for number in SIZES if full else FEW_SIZES:
        ledger, plan, taken = Ledger(server.database(), NAME, create=True), plan_of(number), list[float]()
        ledger.plan = plan
        empty = size_of(ledger)
        found = timed(partial(list, known_to(ledger, plan, ())), taken)
        assert timed(partial(states, ledger), taken).keys() == {queued.trial.content_hash for queued in found}
        known = {queued.entry.trial_id: queued.entry for queued in found}
        assert timed(partial(unfinished, ledger, known), taken) == list(known.values())
        for name, milliseconds in zip(("enqueue", "begin again", "look"), taken, strict=True):
            rows.append(row("study", name, number, milliseconds=milliseconds / len(found)))
        for pack in (1, 8):
            rows.append(row("study", f"choose, packs of {pack}", number, milliseconds=choosing(ledger, found, pack)))
        waiting, some = size_of(ledger), found[:100]
        for queued in some:
            ledger.claim(queued.entry)
            ledger.complete(queued.entry, no_trial(queued.trial.setup, queued.trial.seed, "cpu").record)
        each = (waiting - empty) / len(found)
        rows.append(row("study", "waiting", number, bytes=each))
        rows.append(row("study", "complete", number, bytes=each + (size_of(ledger) - waiting) / len(some)))


def choosing(ledger: Ledger, found: list[Queued], pack: int) -> float:
    """Milliseconds of a choice among all that waits."""
    packing, taken = Packing("cpu", pack), list[float]()
    packing.arrange(ledger, found)
    queue = packing.ordered(deque(found))
    for _ in range(10):
        assert len(timed(partial(packing.take, queue), taken)) == pack
    return median(taken)


def size_of(ledger: Ledger) -> int:
    """Bytes of all tables of its schema, indices and large values included."""
    sizes = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
    with ledger._engine.connect() as connection:
        return int(connection.execute(text(f"{sizes} AND relkind = 'r'")).scalar_one())
