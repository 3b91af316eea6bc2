"""The numbers of a page as files inside it, for whoever got the page alone."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from studies.findings.findings import Findings
from studies.findings.tables import NOT_IN_CSV

MOST = 200_000
"""Bytes of a table that a page carries; a larger one lies beside it."""


@dataclass(frozen=True)
class Download:
    """A file, and what it holds as a data URI; without one it lies beside the page."""

    name: str
    uri: str
    size: str


def downloads(found: Findings, beside: Path | None = None) -> list[Download]:
    """The tables of a study as CSV; taken from the folder ``beside`` where they were just written."""
    runs = found.runs.drop(columns=[name for name in NOT_IN_CSV if name in found.runs])
    tables = {"cells.csv": found.cells, "contrasts.csv": found.contrasts, "runs.csv": runs}
    return [
        _written(beside / name) if beside else _download(name, frame.to_csv(index=False).encode())
        for name, frame in tables.items()
        if len(frame)
    ]


def _written(file: Path) -> Download:
    size = file.stat().st_size
    return Download(file.name, "", _shown(size)) if size > MOST else _download(file.name, file.read_bytes())


def _download(name: str, data: bytes) -> Download:
    uri = f"data:text/csv;base64,{base64.b64encode(data).decode()}" if len(data) <= MOST else ""
    return Download(name, uri, _shown(len(data)))


def _shown(size: int) -> str:
    return f"{-(-size // 1000):,} kB"
