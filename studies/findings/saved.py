"""The tables of a results folder, as they were written."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from bench.files import ends_in_a_line
from studies.findings.columns import ARMS, CONTRASTS, TRIALS, Column
from studies.ledger.folder import ResultsFolder

DEFINED: Mapping[str, Mapping[str, Column]] = {"cells": ARMS, "runs": TRIALS, "contrasts": CONTRASTS}
NEEDED = {"cells": ("cell",), "runs": ("cell", "seed", "status"), "contrasts": ("factor", "a", "b", "verdict")}
TABLES = tuple(NEEDED)


class ExportError(ValueError):
    """A column, condition or table that is not there; the message lists the choices."""


def mended(folder: Path) -> str:
    """How what is missing or damaged in a results folder comes back, as it can be typed."""
    if ResultsFolder(folder).holds_study:
        return f"`vit-ablate table {shlex.quote(str(folder))} --rebuild` writes it anew from the storage"
    return "it has no storage here to write it anew from: run the study, or copy the folder again from where it came"


def read_table(folder: Path, table: str) -> pd.DataFrame:
    """One of ``TABLES`` of a results folder, as it was written.

    Raises:
        ExportError: no such table or folder, or a damaged file.
    """
    if table not in TABLES:
        raise ExportError(f"no table {table!r}; choices: {', '.join(TABLES)}")
    path = ResultsFolder(folder).table(table)
    if not folder.is_dir():
        raise ExportError(f"there is no folder {folder}")
    if not path.exists():
        raise ExportError(f"{folder} holds no {path.name}: {mended(folder)}")
    frame = whole(path, NEEDED[table])
    _check(frame, table, path)
    return frame


def whole(path: Path, needed: Sequence[str]) -> pd.DataFrame:
    """A CSV file that was written to its end, with these columns at least.

    Raises:
        ExportError: it is damaged.
    """
    try:
        if not ends_in_a_line(path):
            raise ValueError("its last line is cut short")
        frame = pd.read_csv(path, dtype={"cell": str, "a": str, "b": str}, keep_default_na=False, na_values=["", "nan"])
        if lost := [name for name in needed if name not in frame]:
            raise ValueError(f"it has no column {lost[0]!r}")
    except (ValueError, UnicodeError) as error:  # of pandas, too
        raise ExportError(f"{path} is damaged: {error}; {mended(path.parent)}") from None
    return frame


def _check(frame: pd.DataFrame, table: str, path: Path) -> None:
    """Refuse a table that has words where numbers stand."""
    keys = {key for column in DEFINED[table].values() if column.numeric for key in column.keys}
    for name in keys & set(frame) - {"a", "b", "cell"}:
        column = frame[name]
        wrong = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
        if len(wrong):
            said = f"{wrong.iloc[0]!r} stands in {name!r}, where numbers do"
            raise ExportError(f"{path} is damaged: {said}; {mended(path.parent)}")
