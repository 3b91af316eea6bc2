"""A table that grows row by row and is kept by columns: of a hundred thousand rows, none is an object."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd

MISSING = float("nan")
Row = Mapping[str, Any]


class GrowingTable:
    """Rows go in, columns come out, in the order in which they were first met.

    Rows of one kind share most of their values, which are kept once a kind; equal words of the others are kept once.
    """

    def __init__(self) -> None:
        self.kinds: dict[Hashable, int] = {}
        self._shared: list[Row] = []
        self._of_row = array("l")
        self._own: dict[str, list[Any]] = {}
        self._names: dict[str, None] = {}
        self._words: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._of_row)

    def add_kind(self, kind: Hashable, shared: Row, order: Iterable[str]) -> None:
        """A kind of rows: what they share, and the columns of a whole one in order."""
        self._names |= dict.fromkeys(order)
        self.kinds[kind] = len(self._shared)
        self._shared.append(shared)

    def add(self, kind: Hashable, own: Row) -> None:
        """One row, by what is its own; where its kind has a value already, that stands."""
        rows, words = len(self), self._words
        for name, value in own.items():
            if (column := self._own.get(name)) is None:
                self._names.setdefault(name)
                column = self._own[words.setdefault(name, name)] = []
            if len(column) < rows:
                column.extend([MISSING] * (rows - len(column)))
            column.append(words.setdefault(value, value) if type(value) is str else value)
        self._of_row.append(self.kinds[kind])

    def frame(self) -> pd.DataFrame:
        """The table; nothing is left here."""
        return pd.DataFrame({name: self._column(name) for name in self._names})

    def _column(self, name: str) -> pd.Series[Any]:
        shared = [row.get(name, MISSING) for row in self._shared]
        own = self._own.pop(name, None)
        if own is None:
            return pd.Series(shared).take(self._of_row).reset_index(drop=True)
        own.extend([MISSING] * (len(self) - len(own)))
        if has := {kind for kind, row in enumerate(self._shared) if name in row}:
            own = [shared[kind] if kind in has else value for kind, value in zip(self._of_row, own, strict=True)]
        return pd.Series(own)


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for garbage while a hundred thousand lists come that will all stay: a fifth of the time."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()
