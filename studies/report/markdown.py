"""Tables and lists as Markdown; whatever came from a person is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from tabulate import tabulate

from studies.findings.columns import Column, plain, texts

SPECIAL = re.compile(r"[\\`*\[|$~]|<(?=[a-zA-Z/!?])|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown would read as markup; an underscore within a word is none."""


def markdown(frame: pd.DataFrame, columns: Sequence[Column] | None = None, mark_baseline: bool = False) -> str:
    """A pipe table of some columns, by default of all as they stand; the baseline's name is bold where asked for."""
    chosen = [plain(str(name), frame[name]) for name in frame] if columns is None else columns
    rows = [[escaped(text) for text in row] for row in texts(chosen, frame)]
    if mark_baseline:
        for row, baseline in zip(rows, frame["baseline"], strict=True):
            row[0] = f"**{row[0]}** (baseline)" if baseline else row[0]
    aligned = ["right" if column.numeric else "left" for column in chosen]
    headings = [escaped(column.heading) for column in chosen]
    text: str = tabulate(rows, headers=headings, tablefmt="pipe", disable_numparse=True, colalign=aligned)
    return text


def key_values(facts: Mapping[str, Any]) -> str:
    """One line a fact; a command is code."""
    return "\n".join(
        f"- {name.replace('_', ' ')}: {code(value) if name == 'command' else escaped(value)}"
        for name, value in facts.items()
    )


def escaped(text: object) -> str:
    """On one line, nothing of it markup."""
    return SPECIAL.sub(r"\\\g<0>", " ".join(str(text).split("\n")))


def prose(text: str) -> str:
    """Sentences whose names stand in backticks: those as code, the rest escaped."""
    parts = text.split("`")
    closed = len(parts) % 2 == 1
    return "".join(code(part) if i % 2 else escaped(part) for i, part in enumerate(parts)) if closed else escaped(text)


def code(text: object) -> str:
    """A code span, fenced by more backticks than the text has in a row."""
    words = str(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", words)), default=0))
    room = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{fence}{room}{words}{room}{fence}"
