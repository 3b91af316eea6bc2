"""A CSV or Parquet file with a column ``path`` and a column ``label``; ``split`` where the person has decided it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from studies.data.dataset import DataError
from studies.data.own.folder import SPLIT_NAMES
from studies.data.own.items import Item, Listing, listed, printable


def list_table(file: Path) -> Listing:
    """The images that a table names; a path that is not absolute starts in the table's folder.

    Raises:
        DataError: it cannot be read, lacks a column or a value, or has a split of another name.
    """
    try:
        frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file, dtype=str)
    except (OSError, ValueError, UnicodeError) as error:  # pandas' and pyarrow's own errors are ValueErrors
        raise DataError(f"{file}: cannot be read as a table: {error}") from None
    for column in ("path", "label"):
        if column not in frame:
            raise DataError(f"{file}: no column {column!r}; it has {listed(map(str, frame.columns))}")
        if frame[column].isna().any():
            raise DataError(f"{file}: row {int(frame[column].isna().argmax()) + 1} has no {column}")
    if len(frame) == 0:
        raise DataError(f"{file}: no rows below its header")
    given = frame["split"] if "split" in frame else [None] * len(frame)
    splits = [None if text is None else _split(file, i, text) for i, text in enumerate(given)]
    rows = zip(frame["path"].astype(str), frame["label"].astype(str), splits, strict=True)
    items = [Item(printable(path), file.parent / path, printable(label), split) for path, label, split in rows]
    return Listing(printable(file.stem), items)


def _split(file: Path, row: int, text: object) -> str:
    try:
        return SPLIT_NAMES[str(text).strip().lower()]
    except KeyError:
        raise DataError(f"{file}: row {row + 1} has split {text!r}; choices: train, val, test") from None
