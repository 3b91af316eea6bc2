"""A study on a real Dask cluster: workers commit; the loss of a worker, the scheduler or the driver costs nothing."""

import os
import re
import signal
import threading
import time

import pytest

import clusters
import servers
import tiny
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.ledger.urls import without_password
from studies.running.cluster import LOOK_SECONDS, ClusterError, ClusterExecutor, SightLostError, WorkerLostError
from studies.running.committing import Committing, Reach
from studies.running.runner import Runner
from studies.trial.record import Outcome
from studies.trial.trial import run_trial

pytestmark = pytest.mark.slow
PLAN = tiny.plan({"depth": (1, 2)}, seeds=2)


@pytest.fixture(scope="module")
def server():
    with servers.postgres() as running:
        yield running


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with clusters.cluster(tmp_path_factory.mktemp("dask")) as made:
        yield made


@pytest.fixture
def executor(cluster):
    with ClusterExecutor(cluster.address) as made:
        yield made


@pytest.fixture
def ledger(server):
    return Ledger(server.database(), "tiny-mnist-cpu", create=True)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """What processes of this machine make of the plan."""
    return tiny.outcomes(tiny.run(PLAN, tmp_path_factory.mktemp("here")))


def run(plan, ledger, folder, executor, observer=None):
    runner = Runner(plan, ledger, ResultsFolder(folder), executor, tiny.BRIEFLY, observer)
    runner.run()
    return runner


def test_tasks_are_spread_over_workers_one_torch_thread_each(executor):
    assert executor.slots == 2
    futures = [executor.submit(clusters.pid_then, 0.5) for _ in range(2)]
    assert len({future.result(240) for future in futures}) == 2
    assert executor.submit(clusters.threads_of_torch).result(240) == 1


def test_who_is_there_is_asked_once_a_second(executor, monkeypatch):
    asked, ask = [], executor._client.scheduler_info
    monkeypatch.setattr(executor._client, "scheduler_info", lambda **which: asked.append(which) or ask(**which))
    executor._looked = time.monotonic()
    assert [executor.slots for _ in range(50)] == [2] * 50
    assert asked == []
    executor._looked -= LOOK_SECONDS
    assert executor.slots == 2
    assert len(asked) == 1


def test_an_error_of_a_task_is_its_own_and_a_dead_worker_is_told(executor):
    with pytest.raises(ValueError, match="its own fault"):
        executor.submit(clusters.fail).result(240)
    with pytest.raises(WorkerLostError):
        executor.submit(clusters.die).result(240)
    tiny.until(lambda: executor.slots == 2, "worker again")


def test_a_worker_killed_in_the_middle_costs_nothing_and_bits_are_those_of_processes_here(
    cluster, ledger, here, tmp_path
):
    killed = []

    class KillsOne(tiny.Observer):
        def finished(self, trial, outcome):
            if not killed:
                killed.append(cluster.pids()[0])
                os.kill(killed[0], signal.SIGKILL)

    run(PLAN, ledger, tmp_path, ClusterExecutor(cluster.address), KillsOne())
    assert killed
    assert tiny.states(ledger) == {"complete": 4}
    assert tiny.outcomes(ledger) == here


def test_a_worker_commits_though_nobody_asks_any_more(cluster, ledger):
    plan = tiny.plan({"depth": (1,)}, seeds=1)
    ledger.plan = plan
    (trial,) = plan.trials
    entry = ledger.enqueue(trial)
    assert ledger.claim(entry)
    task = Committing(ledger.url.render_as_string(), ledger.name, [entry], run_trial)
    with ClusterExecutor(cluster.address) as executor:
        future = executor.submit(task, trial.setup, trial.seed, "cpu")
        owner = ledger.owner
        tiny.until(lambda: {lease.owner for lease in ledger.leases()} != {owner}, "lease taken over")
        executor.kill()
        with pytest.raises(SightLostError):
            future.result(0)
    tiny.until(lambda: tiny.states(ledger) == {"complete": 1}, "result")


def test_a_worker_that_comes_too_late_trains_nothing(ledger):
    plan = tiny.plan({"depth": (1,)}, seeds=1)
    ledger.plan = plan
    entry = ledger.enqueue(plan.trials[0])
    ledger.claim(entry)
    ledger.interrupt(entry)

    def never(*_):
        raise AssertionError

    assert Committing(ledger.url.render_as_string(), ledger.name, [entry], never)() == Outcome(
        {}, "another worker has this trial"
    )


def test_the_scheduler_is_killed_and_comes_back(server, here, tmp_path):
    ledger = Ledger(server.database(), "tiny-mnist-cpu", create=True)
    heard = []

    def missed():
        return any("is away" in text or "no scheduler at" in text for text in heard)

    (tmp_path / "dask").mkdir()
    with clusters.cluster(tmp_path / "dask") as own:
        done = threading.Event()

        class KillsScheduler(tiny.Observer):
            def finished(self, trial, outcome):
                if not done.is_set():
                    done.set()
                    os.killpg(own.scheduler.pid, signal.SIGKILL)
                    own.scheduler.wait()
                    threading.Thread(target=again).start()

        def again():
            ends = time.monotonic() + 30  # not before it was missed
            while not missed() and time.monotonic() < ends:
                time.sleep(0.1)
            own.start_scheduler()
            for _ in range(2):
                own.start_worker()

        executor = ClusterExecutor(own.address, told=heard.append)
        run(PLAN, ledger, tmp_path / "there", executor, KillsScheduler())
    assert tiny.states(ledger) == {"complete": 4}
    assert missed()
    assert tiny.outcomes(ledger) == here


def test_a_worker_that_cannot_reach_the_storage_takes_no_trial(cluster, server, monkeypatch):
    reach = Reach(without_password(server.locked()), "tiny-mnist-cpu")
    monkeypatch.setattr("studies.running.cluster.WAIT_SECONDS", 5.0)
    heard = []
    with pytest.raises(ClusterError, match=r"no worker can take a trial: cannot open .*PGPASSWORD"):
        ClusterExecutor(cluster.address, told=heard.append, fit=reach)
    assert len(heard) == 2  # once a worker
    one = clusters.Chosen(cluster.pids()[0])
    with ClusterExecutor(cluster.address, told=heard.append, fit=one) as executor:
        assert executor.slots == 1
        assert {executor.submit(os.getpid).result(240) for _ in range(3)} == {one.pid}
    assert re.search(r"the worker tcp://\S+ takes no trial: not chosen", heard[-1])


def test_no_scheduler_and_no_worker_that_will_do_are_said(cluster, monkeypatch):
    monkeypatch.setattr("studies.running.cluster.WAIT_SECONDS", 1.0)
    with pytest.raises(ClusterError, match="dask scheduler"):
        ClusterExecutor("tcp://127.0.0.1:9")
    with pytest.raises(ClusterError, match="--resources GPU=1"):
        ClusterExecutor(cluster.address, device="cuda")


def test_a_gpu_takes_as_many_trials_as_asked_for(tmp_path):
    with clusters.cluster(tmp_path, workers=1, resources="GPU=2") as made:
        with ClusterExecutor(made.address, device="cuda") as executor:
            assert executor.slots == 2
        with ClusterExecutor(made.address, device="cuda", trials_per_gpu=3) as executor:
            assert executor.slots == 6


def test_a_scheduler_that_is_gone_for_good_ends_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("studies.running.cluster.AWAY_SECONDS", 0.1)
    with clusters.cluster(tmp_path, workers=1) as own, ClusterExecutor(own.address) as executor:
        os.killpg(own.scheduler.pid, signal.SIGKILL)
        executor._client.close()  # as Dask does after half a minute
        with pytest.raises(ClusterError, match="no Dask scheduler answers"):
            _ = executor.slots
