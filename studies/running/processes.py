"""Trials in processes of this machine."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from studies.running.gpus import VISIBLE, one_each, visible_gpus

if TYPE_CHECKING:
    from studies.trial.plugins import Plugin

P = ParamSpec("P")
T = TypeVar("T")


class ProcessExecutor:
    """A ``TrialExecutor`` of ``slots`` pools of one process each: one that dies takes no trial but its own with it.

    ``submit`` waits for an idle worker; a dead one is replaced.

    Args:
        slots: so many processes.
        device: of the plan; with ``cuda`` they spread over the GPUs of this machine.
    """

    worker_died = BrokenProcessPool
    sight_lost = ()
    commits = False

    def __init__(self, slots: int, device: str = "cpu") -> None:
        self.slots = slots
        self._idle: queue.Queue[_Worker] = queue.Queue()
        for gpu in one_each(device, slots, visible_gpus() if device == "cuda" else ()):
            self._idle.put(_Worker(gpu))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``fn`` in an idle process; the future raises ``worker_died`` if that process is killed."""
        worker = self._idle.get()
        try:
            with _interrupts_held():
                future = worker.pool.submit(fn, *args, **kwargs)
        except BrokenProcessPool:  # died while idle
            worker = _Worker(worker.gpu)
            with _interrupts_held():
                future = worker.pool.submit(fn, *args, **kwargs)
        future.add_done_callback(lambda done: self._release(worker, done))
        return future

    def kill(self) -> None:
        """End all workers at once; running futures raise ``worker_died``."""
        for child in multiprocessing.active_children():
            child.kill()

    def __enter__(self) -> Self:
        """Processes start with the first tasks."""
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """End all workers; after an error (a full disk, say) nobody waits for what cannot be written."""
        if kind is not None:
            self.kill()
        while not self._idle.empty():
            self._idle.get().pool.shutdown()

    def _release(self, worker: _Worker, future: Future[Any]) -> None:
        died = not future.cancelled() and isinstance(future.exception(), BrokenProcessPool)
        self._idle.put(_Worker(worker.gpu) if died else worker)


class _Worker:
    """One process, and the GPU that it and whoever replaces it sees; None for all."""

    def __init__(self, gpu: str | None) -> None:
        from studies.trial.plugins import loaded

        context = multiprocessing.get_context("spawn")  # a fork of a process with torch threads can hang
        self.gpu = gpu
        self.pool = ProcessPoolExecutor(1, mp_context=context, initializer=_start_worker, initargs=(loaded(), gpu))


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back; a process started meanwhile inherits that, so it is safe even while it still imports."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(plugins: Sequence[Plugin], gpu: str | None) -> None:
    if gpu is not None:
        os.environ[VISIBLE] = gpu
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's to handle
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)
    for plugin in plugins:
        from studies.trial.plugins import run

        run(plugin)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
