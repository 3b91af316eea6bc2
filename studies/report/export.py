"""A result table for somewhere else: chosen columns and rows as Markdown, CSV, LaTeX or HTML."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from studies.findings.columns import Column, plain, texts
from studies.findings.saved import DEFINED, ExportError
from studies.report.conditions import column_of, rows_that
from studies.report.latex import to_latex
from studies.report.markdown import markdown

DEFAULT_COLUMNS = {
    "cells": ["cell", "n", "test_accuracy_mean", "interval",
              "train_images_per_second", "infer_images_per_second", "num_tokens", "params"],
    "runs": ["cell", "seed", "status", "val_accuracy", "test_accuracy", "train_seconds", "reason"],
    "contrasts": ["factor", "a", "b", "setting", "n", "difference", "interval", "p_holm", "verdict"],
}  # fmt: skip
FOR_LATEX = {
    "cells": ["cell", "accuracy", "train_images_per_second", "params"],
    "contrasts": ["factor", "a", "b", "setting", "difference", "interval", "p_holm", "verdict"],
}
"""Where a paper's table shows other columns than a terminal's."""


def columns_of(kind: str, frame: pd.DataFrame, names: Sequence[str]) -> list[Column]:
    """Columns of a table by name: as reports show them where they are defined, else as they stand in the CSV.

    Raises:
        ExportError: no such column.
    """
    defined = {n: c for n, c in DEFINED[kind].items() if set(c.keys) <= set(frame)}
    return [defined.get(name) or plain(name, frame[column_of(frame, name, defined)]) for name in names]


def select(frame: pd.DataFrame, where: Sequence[str] = (), sort: str | None = None) -> pd.DataFrame:
    """Rows that meet every condition of ``conditions.rows_that``, sorted by a column (``-column``: falling).

    Raises:
        ExportError: no such column or value, or no condition.
    """
    for condition in where:
        frame = rows_that(frame, condition)
    if sort is not None:
        frame = frame.sort_values(column_of(frame, sort.lstrip("-")), ascending=not sort.startswith("-"), kind="stable")
    return frame


def with_verdicts(cells: pd.DataFrame, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Cells with the verdict of their contrast with the baseline, and by which rule; the baseline has none."""
    against = contrasts[contrasts["factor"] == "cell"].set_index("a")
    facts = [name for name in ("verdict", "family_size", "alpha", "margin") if name in against]
    return cells.assign(**{name: cells["cell"].map(against[name]) for name in facts})


def renamed(columns: Sequence[Column], frame: pd.DataFrame, names: Sequence[str]) -> list[Column]:
    """Columns that say ``NEW`` for every ``OLD=NEW``: a heading, a whole entry, or a level in the name of an arm.

    Raises:
        ExportError: no ``=``, or nothing of the table is called so.
    """
    new = dict(_pair(text) for text in names)
    said = {column.heading for column in columns} | {
        part for column in columns if not column.numeric for text in texts([column], frame) for part in _parts(text[0])
    }
    if unknown := [name for name in new if name not in said]:
        raise ExportError(f"--rename: nothing is called {unknown[0]!r}; choices: {', '.join(sorted(said))}")

    def told(text: str) -> str:
        return new.get(text) or "/".join(new.get(part, part) for part in text.split("/"))

    def one(column: Column) -> Column:
        heading = new.get(column.heading, column.heading)
        if column.numeric:
            return dataclasses.replace(column, heading=heading)
        return dataclasses.replace(column, heading=heading, text=lambda row: told(column.text(row)))

    return [one(column) for column in columns]


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals or not new:
        raise ExportError(f"--rename {text!r}: write OLD=NEW, for example learned=Learned")
    return old, new


def _parts(text: str) -> list[str]:
    return [text, *text.split("/")]


def to_markdown(frame: pd.DataFrame, columns: Sequence[Column], caption: str) -> str:
    """A pipe table under its caption."""
    return f"{caption}\n\n{markdown(frame, columns)}\n"


def to_csv(frame: pd.DataFrame, columns: Sequence[Column], caption: str) -> str:  # noqa: ARG001  it would be a row
    """The raw values that the columns are said from, in full precision."""
    names = dict.fromkeys(key for column in columns for key in column.keys)
    return str(frame[list(names)].to_csv(index=False))


def to_html(frame: pd.DataFrame, columns: Sequence[Column], caption: str) -> str:
    """One escaped table element under its caption."""
    table = str(_shown(frame, columns).to_html(index=False, border=0))
    head, body = table.split(">", 1)
    return f"{head}>\n  <caption>{html.escape(caption)}</caption>{body}\n"


def _shown(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    return pd.DataFrame(texts(columns, frame), columns=[column.heading for column in columns], dtype=object)


def to_json(frame: pd.DataFrame, columns: Sequence[Column], caption: str) -> str:
    """The raw values that the columns are said from, one object a row; what is missing is null."""
    names = dict.fromkeys(key for column in columns for key in column.keys)
    rows = json.loads(frame[list(names)].to_json(orient="records", double_precision=15))
    return json.dumps({"caption": caption, "rows": rows}, ensure_ascii=False, indent=1) + "\n"


FORMATS: Mapping[str, Callable[[pd.DataFrame, Sequence[Column], str], str]] = {
    "md": to_markdown,
    "csv": to_csv,
    "latex": to_latex,
    "html": to_html,
    "json": to_json,
}
"""No registry of `vit`: that would load torch to print a table."""
