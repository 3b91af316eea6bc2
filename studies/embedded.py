"""Pictures as data URIs, made small: a page that holds them asks nobody for anything."""

from __future__ import annotations

import base64
import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

COLOURS = 128
MOST_PIXELS = 950  # across


@dataclass(frozen=True)
class Embedded:
    """A picture inside a page."""

    name: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Bench:
    """What a chunking bench left: its chart, and for every backend how often it differs from the manual one."""

    folder: str
    chart: Embedded | None
    counts: list[str]


def embed(path: Path, name: str, most_pixels: int = MOST_PIXELS) -> Embedded:
    """A picture with at most ``most_pixels`` across and 128 colours, as a data URI."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if image.width > most_pixels:
        image = image.resize((most_pixels, round(image.height * most_pixels / image.width)), Image.Resampling.LANCZOS)
    packed = io.BytesIO()
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(packed, format="PNG", optimize=True)
    uri = f"data:image/png;base64,{base64.b64encode(packed.getvalue()).decode()}"
    return Embedded(name, uri, image.width, image.height)


def benches(results: Path) -> list[Bench]:
    """Of every ``bench-<device>`` folder beside the study's that holds a chunking bench."""
    found = []
    for folder in sorted(results.glob("bench-*")):
        chart, table = folder / "chunking.png", folder / "chunking.csv"
        if chart.exists() or table.exists():
            picture = embed(chart, "einops against manual", 1500) if chart.exists() else None
            found.append(Bench(folder.name, picture, _counts(table) if table.exists() else []))
    return found


def _counts(table: Path) -> list[str]:
    """Intervals left of 1, right of 1 and across it, by backend, of eager cells; empty for another format."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("mode") == "eager" and row.get("backend") != "manual"]
    tally: dict[str, Counter[str]] = {}
    for row in rows:
        if not row.get("ratio_low") or not row.get("ratio_high"):
            return []
        low, high = float(row["ratio_low"]), float(row["ratio_high"])
        word = "slower" if low > 1 else "faster" if high < 1 else "neither"
        tally.setdefault(row["backend"], Counter())[word] += 1
    return [
        f"{name} against manual: slower in {count['slower']}, faster in {count['faster']}, no difference measured in "
        f"{count['neither']} of {count.total()} cells"
        for name, count in tally.items()
    ]
