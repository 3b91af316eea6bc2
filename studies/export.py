"""A result table for somewhere else: chosen columns and rows as Markdown, CSV, LaTeX or HTML."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from studies.markdown import markdown
from vit import Registry

TABLES = ("cells", "runs", "contrasts")
DEFAULT_COLUMNS = {
    "cells": ["cell", "n", "test_accuracy_mean", "test_accuracy_low", "test_accuracy_high",
              "train_images_per_second", "infer_images_per_second", "num_tokens", "params"],
    "runs": ["cell", "seed", "status", "val_accuracy", "test_accuracy", "train_seconds", "reason"],
    "contrasts": ["factor", "a", "b", "n", "difference", "low", "high", "p_holm", "verdict"],
}  # fmt: skip
MARKS = {"better": r"\uparrow", "worse": r"\downarrow", "equivalent": r"\approx"}

FORMATS: Registry[Callable[[pd.DataFrame, str], str]] = Registry("format")


class ExportError(ValueError):
    """A column, condition or table that is not there; the message lists the choices."""


def read_table(folder: Path, table: str) -> pd.DataFrame:
    """One of ``TABLES`` of a results folder, as it was written.

    Raises:
        ExportError: no such table or folder.
    """
    if table not in TABLES:
        raise ExportError(f"no table {table!r}; choices: {', '.join(TABLES)}")
    path = folder / f"{table}.csv"
    if not path.exists():
        raise ExportError(f"{folder} holds no {path.name}: run the study first")
    return pd.read_csv(path, dtype={"cell": str, "a": str, "b": str}, keep_default_na=False, na_values=["", "nan"])


def select(
    frame: pd.DataFrame, columns: Sequence[str] = (), where: Sequence[str] = (), sort: str | None = None
) -> pd.DataFrame:
    """Rows that meet every condition ``column=value``, sorted by a column (``-column``: falling), columns chosen.

    Raises:
        ExportError: no such column, or a condition without ``=``.
    """
    for condition in where:
        name, equals, value = condition.partition("=")
        if not equals:
            raise ExportError(f"--where {condition!r}: write COLUMN=VALUE, for example chunking=tiles")
        frame = frame[frame[_column(frame, name)].astype(str) == value]
    if sort is not None:
        frame = frame.sort_values(_column(frame, sort.lstrip("-")), ascending=not sort.startswith("-"), kind="stable")
    return frame[[_column(frame, name) for name in columns]] if columns else frame


def with_verdicts(cells: pd.DataFrame, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Cells with the verdict of their contrast with the baseline; the baseline has none."""
    against = contrasts[contrasts["factor"] == "cell"].set_index("a")["verdict"]
    return cells.assign(verdict=cells["cell"].map(against))


@FORMATS.register("md")
def to_markdown(frame: pd.DataFrame, caption: str) -> str:
    """A pipe table under its caption."""
    return f"{caption}\n\n{markdown(_rounded(frame))}\n"


@FORMATS.register("csv")
def to_csv(frame: pd.DataFrame, caption: str) -> str:  # noqa: ARG001  a caption would be a row
    """Full precision."""
    return str(frame.to_csv(index=False))


@FORMATS.register("latex")
def to_latex(frame: pd.DataFrame, caption: str) -> str:
    """A booktabs table; the verdict becomes a mark whose meaning the caption gives."""
    shown = _rounded(frame)
    if "verdict" in frame:
        marks = frame["verdict"].map(lambda verdict: f"${MARKS[verdict]}$" if verdict in MARKS else "")
        shown = shown.drop(columns="verdict")
        first = shown.columns[0]
        shown[first] = shown[first].map(_escaped) + marks.map(lambda mark: f" {mark}" if mark else "")
        caption += (
            r" $\uparrow$ better and $\downarrow$ worse than the baseline (exact sign-flip test on paired seeds, "
            r"Holm-adjusted $p \le 0.05$); $\approx$ equivalent within the margin; no mark: nothing was shown."
        )
    else:
        first = None
    for name in shown.columns:
        if name != first:
            shown[name] = shown[name].map(_escaped)
    shown.columns = pd.Index([_escaped(name) for name in shown.columns])
    return str(shown.to_latex(index=False, escape=False, caption=caption))


@FORMATS.register("html")
def to_html(frame: pd.DataFrame, caption: str) -> str:
    """One escaped table element under its caption."""
    table = str(_rounded(frame).to_html(index=False, border=0))
    head, body = table.split(">", 1)
    return f"{head}>\n  <caption>{html.escape(caption)}</caption>{body}\n"


def _column(frame: pd.DataFrame, name: str) -> str:
    if name not in frame:
        raise ExportError(f"no column {name!r}; choices: {', '.join(map(str, frame))}")
    return name


def _rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """Text with four significant digits for fractions, whole numbers for what is large; a dash for nothing."""
    return frame.map(_text)


def _text(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 or value.is_integer() else f"{value:.4g}"
    return str(value)


def _escaped(text: object) -> str:
    """LaTeX's special characters as letters."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {char: f"\\{char}" for char in "&%$#_{}"}
    return "".join(special.get(char, char) for char in str(text))
