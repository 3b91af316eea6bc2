"""Ctrl-C and SIGTERM: noted, not raised in the middle of a write."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any


@dataclass
class Stop:
    """What was asked for: that running trials finish and no other starts, or that they end too."""

    asked: bool = False
    at_once: bool = False

    def press(self) -> None:
        """Ctrl-C: once lets running trials finish, twice ends them."""
        self.asked, self.at_once = True, self.asked

    def terminate(self) -> None:
        """SIGTERM, of a batch system whose patience is short."""
        self.asked = self.at_once = True


@contextmanager
def ctrl_c(stop: Stop) -> Iterator[None]:
    """Tell ``stop`` instead of raising, while this lasts; in another thread than the main one nothing changes."""

    def noted(signum: int, _frame: FrameType | None) -> None:
        (stop.terminate if signum == signal.SIGTERM else stop.press)()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {number: signal.signal(number, noted) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
