"""Write measurements down: CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.files import write_text


def write_csv(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows with equal keys, the keys as header; floats with six significant digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: f"{v:.6g}" if isinstance(v, float) else v for key, v in row.items()})
    write_text(folder, name, text.getvalue())


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV as text.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; None becomes an empty field."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join("" if v is None else str(v) for v in line) + " |\n" for line in lines)


def write_both(
    folder: Path, name: str, introduction: str, rows: Sequence[Mapping[str, Any]], provenance: Mapping[str, str]
) -> None:
    """``name.csv`` and ``name.md``: the same rows, equal keys, with the introduction above and provenance below."""
    cells = [[f"{v:.4g}" if isinstance(v, float) else v for v in row.values()] for row in rows]
    table = markdown_table([key.replace("_", " ") for key in rows[0]], cells)
    write_csv(folder, f"{name}.csv", rows)
    text = f"{introduction}\n{table}\n## Provenance\n\n{provenance_lines(provenance)}"
    write_text(folder, f"{name}.md", text)


def provenance_lines(provenance: Mapping[str, str]) -> str:
    """The provenance as a Markdown list."""
    return "".join(f"- {name}: {value}\n" for name, value in provenance.items())
