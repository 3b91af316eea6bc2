"""Rows of a result table by what is typed for them: ``chunking=tiles``, ``n>=5``, ``seed in 0,1``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from studies.findings.saved import ExportError

ORDERS: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
CONDITION = re.compile(r"\s*(?P<name>.+?)\s*(?P<sign>!=|>=|<=|==|=|>|<|\snot\s+in\s|\sin\s)(?P<value>.*)", re.DOTALL)
"""The first sign counts: a value may hold more of them."""
MOST_CHOICES = 20


def rows_that(frame: pd.DataFrame, condition: str) -> pd.DataFrame:
    """The rows that meet one condition.

    Args:
        frame: a result table.
        condition: a column, one of ``= != > < >= <= in``, and a value; several with commas behind ``in``. Numbers
            are compared as numbers, everything else as it stands in the table.

    Raises:
        ExportError: no such column, no such value, or no condition at all.
    """
    found = CONDITION.fullmatch(condition)
    if not found:
        raise ExportError(
            f"--where {condition!r}: write COLUMN=VALUE, for example chunking=tiles; also != > < >= <= or in, as 'n>=5'"
        )
    values = frame[column_of(frame, found["name"])]
    sign, typed = " ".join(found["sign"].split()), found["value"].strip()
    if sign in ORDERS:
        hit: pd.Series[bool] = ORDERS[sign](_numbers(values, condition), _number(typed, condition))
        return frame[hit]
    wanted = [part.strip() for part in typed.split(",")] if sign.endswith("in") else [typed]
    matches = [_equal(values, text) for text in wanted]
    for text, match in zip(wanted, matches, strict=True):
        if not match.any():
            raise ExportError(
                f"--where {condition!r}: no row has {found['name']} {text!r}; choices: {_choices(values)}"
            )
    either = pd.concat(matches, axis=1).any(axis=1)
    return frame[~either if sign in ("!=", "not in") else either]


def column_of(frame: pd.DataFrame, name: str, more: Mapping[str, Any] | None = None) -> str:
    """The name, if it is that of a column.

    Raises:
        ExportError: it is not; lists the choices, those of ``more`` included.
    """
    if name not in frame:
        choices = dict.fromkeys([*map(str, frame), *(more or ())])
        raise ExportError(f"no column {name!r}; choices: {', '.join(choices)}")
    return name


def _equal(values: pd.Series[Any], text: str) -> pd.Series[bool]:
    same = values.astype(str) == text
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        try:
            return same | (values == float(text))
        except ValueError:
            return same
    return same


def _numbers(values: pd.Series[Any], condition: str) -> pd.Series[Any]:
    if not pd.api.types.is_numeric_dtype(values):
        raise ExportError(f"--where {condition!r}: {values.name} holds words, which have no order; use = != or in")
    return values


def _number(text: str, condition: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ExportError(f"--where {condition!r}: {text!r} is no number to compare with") from None


def _choices(values: pd.Series[Any]) -> str:
    """All values of a column, or its range where it has many numbers."""
    found = list(dict.fromkeys(values.dropna()))
    if len(found) > MOST_CHOICES and pd.api.types.is_numeric_dtype(values):
        return f"numbers from {values.min():g} to {values.max():g}"
    more = f" and {len(found) - MOST_CHOICES} more" if len(found) > MOST_CHOICES else ""
    return (", ".join(map(str, found[:MOST_CHOICES])) or "none, the column is empty") + more
