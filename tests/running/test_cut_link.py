"""A worker on another machine, whose link is cut in the middle of a trial: each trial has one result all the same."""

import os
import signal
import subprocess
import sys

import pytest

import clusters
import networks
import tiny
from studies.ledger.ledger import Ledger

pytestmark = pytest.mark.slow
PORT = 8786
SLOW = 8  # seconds that a trial there takes beyond its training
SOON = {
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "11s",  # of silence, then a link is taken for cut: Dask's least, else 30 s
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "20s",
}
DRIVER = """
import signal, sys
from pathlib import Path
import servers, tiny
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.running import runner
from studies.running.cluster import ClusterExecutor
from studies.running.committing import Reach

folder, host, scheduler = Path(sys.argv[1]), *sys.argv[2:]
runner.run_trial = tiny.slowed
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and the server is stopped
with servers.postgres() as server:
    url = server.listen(host)
    ledger = Ledger(url, "tiny-mnist-cpu", create=True)
    plan = tiny.plan({"depth": (1, 2)}, seeds=2)
    ledger.add_measurement({cell.content_hash: tiny.measured(i) for i, cell in enumerate(plan.runnable)})
    executor = ClusterExecutor(scheduler, fit=Reach(url.render_as_string(), ledger.name))
    tiny.until(lambda: executor.slots == 2, "two workers", 240)
    runner.Runner(plan, ledger, ResultsFolder(folder / "results"), executor, tiny.BRIEFLY).run()
    print(server.url.render_as_string(), flush=True)  # a socket, which no link is needed for
    sys.stdin.readline()
"""


@pytest.fixture
def machines():
    with networks.two_machines() as made:
        yield made


@pytest.fixture
def start(machines, tmp_path):
    """Programs on the two machines, ended when the test is."""
    started = []
    paths = os.pathsep.join([str(clusters.ROOT), str(clusters.ROOT / "tests")])
    environment = {**os.environ, **clusters.QUIET, **SOON, "PYTHONPATH": paths, "TINY_MARKS": str(tmp_path / "marks")}
    (tmp_path / "marks").mkdir()

    def run(where, *words, slow=0, **options):
        surroundings = {**environment, "TINY_SLOW": str(slow)}
        program = machines.start(where, sys.executable, *words, env=surroundings, cwd=tmp_path, **options)
        started.append(program)
        return program

    yield run
    for program in reversed(started):
        if program.stdin is not None:
            program.stdin.close()
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGTERM)
    for program in started:
        try:
            program.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)


def test_a_link_is_cut_in_the_middle_of_a_trial(machines, start, tmp_path):
    scheduler = f"tcp://{machines.here_address}:{PORT}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    words = ["--host", machines.here_address, "--port", str(PORT), "--no-dashboard"]
    start(machines.here, "-m", "distributed.cli.dask_scheduler", *words, **quiet)
    for where, address, slow in (
        (machines.here, machines.here_address, 0),
        (machines.there, machines.there_address, SLOW),
    ):
        words = [scheduler, "--host", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
        start(where, "-m", "distributed.cli.dask_worker", *words, slow=slow, **quiet)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    driver = start(machines.here, "-c", DRIVER, str(tmp_path), machines.here_address, scheduler, **pipes)
    marks = tmp_path / "marks"
    (begun,) = tiny.until(lambda: list(marks.glob("slow-*")), "a trial that runs there", 240)
    machines.cut()
    trial = begun.name.removeprefix("slow-")
    tiny.until(lambda: (marks / f"fast-{trial}").exists(), "the same trial here", 240)
    machines.mend()
    tiny.until((marks / f"trained-{begun.name}").exists, "the end of training there", 240)
    ledger = Ledger(driver.stdout.readline().strip(), "tiny-mnist-cpu")
    assert tiny.states(ledger) == {"complete": 4}
    attempts = [(e.state, e.failure, e.attempt) for e in ledger.history() if e.content_hash == trial]
    assert attempts == [("failed", "killed", 1), ("complete", None, 2)]
    assert len(ledger.history()) == 5
    driver.communicate("", timeout=30)
