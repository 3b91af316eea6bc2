"""One column of a result table: what it is called, what it says of a row, and which values it says it from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from studies.findings.words import MISSING, count

Row = Mapping[Hashable, Any]  # one row of a result table, by the names of its CSV columns


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        heading: with the unit; no markup.
        text: of a row, as a person reads it; no markup, not escaped.
        keys: the CSV columns that hold its raw values; the first one sorts it.
        numeric: numbers stand at the right, and sort as numbers.
        short: a heading for a terminal; by default the heading.
        at: the text with another number of digits; None where there is no choice.
    """

    heading: str
    text: Callable[[Row], str]
    keys: tuple[str, ...]
    numeric: bool = True
    short: str = ""
    at: Callable[[Row, int], str] | None = None

    def rounded(self, digits: int) -> Column:
        """The same column with so many digits, where it has a choice."""
        at = self.at
        return self if at is None else dataclasses.replace(self, text=lambda row: at(row, digits))

    @property
    def key(self) -> str:
        """The CSV column that sorts it."""
        return self.keys[0]

    def sorts_by(self, row: Row) -> float | None:
        """The number that sorts a row; None where it is missing, or where the text sorts."""
        value = row[self.key] if self.numeric else None
        return None if pd.isna(value) else float(value)


def records(frame: pd.DataFrame) -> list[Row]:
    """The rows of a table, every value of its own type."""
    rows: list[Row] = list(frame.to_dict("records"))
    return rows


def pick(table: Mapping[str, Column], *names: str) -> list[Column]:
    """Columns by name, in this order."""
    return [table[name] for name in names]


def plain(name: str, values: pd.Series[Any]) -> Column:
    """A column as it stands in the CSV: four significant digits, whole numbers where they are large."""
    return Column(name, lambda row: _plain(row[name]), (name,), pd.api.types.is_numeric_dtype(values))


def texts(columns: Sequence[Column], frame: pd.DataFrame) -> list[list[str]]:
    """What every row says, column by column."""
    return [[column.text(row) for column in columns] for row in records(frame)]


def _plain(value: Any) -> str:
    if not isinstance(value, float) or pd.isna(value):
        return MISSING if pd.isna(value) else str(value)
    return count(value) if abs(value) >= 1000 or value.is_integer() else f"{value:.4g}".replace("-", "−")
