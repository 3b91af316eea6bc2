"""The seconds of a training, without those in which its process stood still."""

from __future__ import annotations

import threading
import time

TICK = 0.5
STOPPED = 3.0
"""Seconds without a tick that are a pause; a busy machine is late by less."""
IDLE = 0.1
"""Of such a gap, the share of processor time below which the process did not run: a computation may hold ticks up."""


class Pauses:
    """Seconds in which this process was stopped, as by SIGSTOP, a frozen container or a paused machine.

    While entered, a thread ticks; ticks that come far too late, without any work meanwhile, tell of a pause.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._last: tuple[float, float] | None = None  # wall, and processor time of the whole process

    @property
    def seconds(self) -> float:
        """Of all pauses so far."""
        self._look()
        return self._seconds

    def __enter__(self) -> None:
        self._over.clear()
        self._last = _now()
        threading.Thread(target=self._tick, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._look()
        self._last = None

    def _tick(self) -> None:
        while not self._over.wait(TICK):
            self._look()

    def _look(self) -> None:
        with self._lock:  # whoever wakes first after a pause counts it
            if self._last is None:
                return
            now = _now()
            wall, worked = (here - before for here, before in zip(now, self._last, strict=True))
            if wall > STOPPED and worked < IDLE * wall:
                self._seconds += wall - TICK
            self._last = now


class Stopwatch:
    """``seconds`` between starts and stops, without pauses."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses = Pauses()
        self._started: tuple[float, float] | None = None

    def start(self) -> None:
        """From now on."""
        self._started = time.perf_counter(), self.pauses.seconds

    def stop(self) -> None:
        """Until now."""
        assert self._started is not None
        since, paused = self._started
        self.seconds += time.perf_counter() - since - (self.pauses.seconds - paused)
        self._started = None


def _now() -> tuple[float, float]:
    return time.monotonic(), time.process_time()
