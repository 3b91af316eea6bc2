"""Write measurements down: CSV and Markdown, each file whole or not at all."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace a file in one step, so that a reader or a crash never sees half of it.

    Raises:
        OSError: the folder cannot be made or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows with equal keys, the keys as header; floats with six significant digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: f"{v:.6g}" if isinstance(v, float) else v for key, v in row.items()})
    write_atomically(path, text.getvalue())


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
    write_csv(folder / f"{name}.csv", rows)
    write_atomically(folder / f"{name}.md", f"{introduction}\n{table}\n## Provenance\n\n{provenance_lines(provenance)}")


def provenance_lines(provenance: Mapping[str, str]) -> str:
    """The provenance as a Markdown list."""
    return "".join(f"- {name}: {value}\n" for name, value in provenance.items())
