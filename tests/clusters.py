"""A real Dask cluster of processes on this machine: a scheduler, and workers with their nannies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import distributed
import pytest

import tiny
import vit

ROOT = Path(vit.__file__).parents[1]
QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical", "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}


class Cluster:
    """Its scheduler can be killed and started again at the same address."""

    def __init__(self, folder: Path, workers: int, resources: str = "") -> None:
        self.folder, self.resources, self.port = folder, resources, 0
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start_scheduler()
        for _ in range(workers):
            self.start_worker()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        words = ["--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard", "--scheduler-file", str(file)]
        self.scheduler = self._start("dask_scheduler", *words)
        tiny.until(file.exists, "scheduler")
        with distributed.Client(scheduler_file=str(file), set_as_default=False) as client:
            self.port = int(client.scheduler.address.rsplit(":", 1)[1])
        return self.scheduler

    def start_worker(self) -> subprocess.Popen[bytes]:
        words = [self.address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(self.folder)]
        more = ["--resources", self.resources] if self.resources else []
        return self._start("dask_worker", *words, "--host", "127.0.0.1", *more)

    def pids(self) -> list[int]:
        """Of the workers themselves, whose nannies start them again."""
        with distributed.Client(self.address, set_as_default=False) as client:
            return list(client.run(os.getpid).values())

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGINT)
        for process in self.processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def _start(self, module: str, *words: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *words],
            env={**os.environ, **QUIET, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.processes.append(process)
        return process


@contextmanager
def cluster(folder: Path, workers: int = 2, resources: str = "") -> Iterator[Cluster]:
    """Running as long as this lasts."""
    pytest.importorskip("distributed")
    made = Cluster(folder, workers, resources)
    try:
        with distributed.Client(made.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=240)
        yield made
    finally:
        made.stop()


@dataclass(frozen=True)
class Chosen:
    """The one worker that takes trials."""

    pid: int

    def __call__(self):
        return None if os.getpid() == self.pid else "not chosen"


def pid_then(seconds):
    time.sleep(seconds)
    return os.getpid()


def threads_of_torch():
    import torch

    return torch.get_num_threads()


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    raise ValueError("its own fault")
