"""A large table as CSV, byte for byte as pandas writes it, in a third of the time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

CHUNK = 20_000  # rows


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """As ``frame.to_csv(path, index=False)``; what many rows of a column have is formatted once."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(frame.head(0).to_csv(index=False, lineterminator="\n"))
        for begin in range(0, len(frame), CHUNK):
            file.write(_lines(frame.iloc[begin : begin + CHUNK]))


def _lines(part: pd.DataFrame) -> str:
    columns = [_texts(part[name]) for name in part]
    if len(columns) > 1 and all(len(texts) == len(part) for texts in columns):
        return "".join([",".join(row) + "\n" for row in zip(*columns, strict=True)])
    return part.to_csv(index=False, header=False, lineterminator="\n")  # a text has line breaks; or a line is empty


def _texts(column: pd.Series[Any]) -> list[str]:
    """Every value as it stands in a CSV file."""
    if column.dtype == object:  # to which True is 1
        return _formatted(column)
    bits = column.to_numpy().view("int64") if column.dtype == "float64" else column  # by which -0.0 is not 0.0
    codes, _ = pd.factorize(bits, use_na_sentinel=False)
    first = pd.Series(codes).drop_duplicates().index
    texts = _formatted(column.iloc[first])
    return [texts[code] for code in codes.tolist()] if len(texts) == len(first) else []


def _formatted(column: pd.Series[Any]) -> list[str]:
    """One line a value, less what tells it from an empty line."""
    text = pd.DataFrame({"": "", "value": column}).to_csv(index=False, header=False, lineterminator="\n")
    return [line[1:] for line in text.split("\n")[:-1]]
