"""Where trials run: anything with the interface of ``concurrent.futures``; here, processes."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

WORKER_DIED = BrokenProcessPool


class ProcessExecutor(Executor):
    """``workers`` pools of one process each: a worker that dies takes its own trial with it and no other.

    ``submit`` waits for an idle worker; a dead one is replaced.
    """

    def __init__(self, workers: int) -> None:
        self._idle: queue.Queue[ProcessPoolExecutor] = queue.Queue()
        for _ in range(workers):
            self._idle.put(_one_process())

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``fn`` in an idle process; the future raises ``WORKER_DIED`` if that process is killed."""
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
        """End all workers at once; running futures raise ``WORKER_DIED``."""
        for child in multiprocessing.active_children():
            child.kill()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """After an error (a full disk, say) nobody waits for what cannot be written."""
        if kind is not None:
            self.kill()
        super().__exit__(kind, error, trace)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the idle workers; call it when no future is running."""
        while not self._idle.empty():
            self._idle.get().shutdown(wait=wait, cancel_futures=cancel_futures)

    def _release(self, pool: ProcessPoolExecutor, future: Future[Any]) -> None:
        died = not future.cancelled() and isinstance(future.exception(), BrokenProcessPool)
        self._idle.put(_one_process() if died else pool)


def _one_process() -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # a fork of a process with torch threads can hang
    return ProcessPoolExecutor(1, mp_context=context, initializer=_start_worker)


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


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's to handle
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
