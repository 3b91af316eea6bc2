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

if TYPE_CHECKING:
    from studies.trial.plugins import Plugin

P = ParamSpec("P")
T = TypeVar("T")


class ProcessExecutor:
    """A ``TrialExecutor`` of ``slots`` pools of one process each: one that dies takes no trial but its own with it.

    ``submit`` waits for an idle worker; a dead one is replaced.
    """

    worker_died = BrokenProcessPool
    sight_lost = ()
    commits = False

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._idle: queue.Queue[ProcessPoolExecutor] = queue.Queue()
        for _ in range(slots):
            self._idle.put(_one_process())

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``fn`` in an idle process; the future raises ``worker_died`` if that process is killed."""
        pool = self._idle.get()
        try:
            with _interrupts_held():
                future = pool.submit(fn, *args, **kwargs)
        except BrokenProcessPool:  # died while idle
            pool = _one_process()
            with _interrupts_held():
                future = pool.submit(fn, *args, **kwargs)
        future.add_done_callback(lambda done: self._release(pool, done))
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
            self._idle.get().shutdown()

    def _release(self, pool: ProcessPoolExecutor, future: Future[Any]) -> None:
        died = not future.cancelled() and isinstance(future.exception(), BrokenProcessPool)
        self._idle.put(_one_process() if died else pool)


def _one_process() -> ProcessPoolExecutor:
    from studies.trial.plugins import loaded

    context = multiprocessing.get_context("spawn")  # a fork of a process with torch threads can hang
    return ProcessPoolExecutor(1, mp_context=context, initializer=_start_worker, initargs=(loaded(),))


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


def _start_worker(plugins: Sequence[Plugin]) -> None:
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
