"""How far trials of a search are: no driver beats for them, so whoever collects their results writes it down."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path
from platform import node

from studies.ledger.drivers import BEAT_SECONDS
from studies.ledger.found import Found
from studies.ledger.search import Search
from studies.training.signs import signs_in

Running = tuple[Search, Found, str]
"""A trial of a search, and the hash that its signs go by."""


class Telling:
    """From a folder, where workers leave their signs, to the storage of the search.

    Args:
        folder: None where workers leave none.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder, self._last = folder, -math.inf

    def tell(self, running: Iterable[Running]) -> None:
        """Where that is due."""
        now = time.monotonic()
        if self.folder is None or now - self._last < BEAT_SECONDS:
            return
        self._last, signs = now, signs_in(self.folder)
        for search, found, name in running:
            if name in signs:
                search.sign(found, {**signs[name], "host": node()})
