"""The chunking bench written down: CSV, Markdown and figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.cells import LEVELS, Cell
from bench.chunking_figure import draw
from bench.files import write, write_text
from bench.limits import Limits
from bench.rows import BASELINE, Row, of_a_step
from bench.tables import markdown_table, provenance_lines, write_csv
from bench.timing import MARGIN

INTRODUCTION = f"""# Cutting images into patches: einops against view/permute, unfold and convolution

Every number is a time over that of the `{BASELINE}` backend (view, permute, reshape) in the same cell, with its
95 % interval: the two ran in turn, round by round, in one process, after their outputs were found equal.
Above 1 is slower. About one interval in twenty leaves 1 out by chance. `noisy` marks cells in which a
backend's interquartile range exceeds 10 % of its median. "Of the limit" is the shortest time in which this
machine could do the work (matrix product and copy rates below) over the time taken by `{BASELINE}`;
above 100 % the data sit in the cache, or the cut is a view that moves nothing (horizontal strips of
contiguous images).

"""


def write_report(
    folder: Path,
    rows: Sequence[Row],
    limits: Limits,
    skipped: Mapping[str, str],
    provenance: Mapping[str, str],
) -> None:
    """Write ``chunking.csv``, ``chunking.md`` and ``chunking.png``.

    Args:
        folder: made when missing.
        rows: with verdicts.
        limits: of the machine that measured.
        skipped: cells left out and why.
        provenance: goes below the tables; its machine also into the CSV.

    Raises:
        OSError: the folder cannot be written.
    """
    write_csv(folder, "chunking.csv", [row.as_dict() | {"machine": provenance["machine"]} for row in rows])
    write(folder, "chunking.png", partial(draw, rows))
    rates = {f"matrix product {name}": f"{rate:,.0f} GFLOP/s" for name, rate in limits.gemm.items()}
    rates["copy"] = f"{limits.copy:,.1f} GB/s, read + written"
    parts = [INTRODUCTION, "".join(f"- {line}\n" for line in headline(rows)), "\n![ratios](chunking.png)\n"]
    parts += [_section(title, group) for title, group in _sections(rows)]
    if skipped:
        parts.append("\n## Not measured\n\n" + _skipped(skipped))
    parts.append("\n## Measured with\n\n" + provenance_lines({**provenance, **rates}))
    write_text(folder, "chunking.md", "".join(parts))


def headline(rows: Iterable[Row]) -> list[str]:
    """The answer in a few lines: for every backend, how often it differs and what it costs at most."""
    lines = []
    rows = list(rows)
    for name in dict.fromkeys(row.backend for row in rows if row.backend != BASELINE):
        mine = [row for row in rows if row.backend == name and row.cell.mode == "eager"]
        same = sum(row.ratio.equivalent for row in mine)
        slower = sum(row.ratio.low > 1 and not row.ratio.equivalent for row in mine)
        faster = sum(row.ratio.high < 1 and not row.ratio.equivalent for row in mine)
        line = (
            f"{name} against {BASELINE}: slower in {slower}, faster in {faster}, the same within {100 * MARGIN:.0f} % "
        )
        line += f"in {same}, undecided in {len(mine) - slower - faster - same} of {len(mine)} eager cells"
        costs = [row for row in mine if row.step_share is not None and row.ratio.low > 1]
        worst = max(costs, key=lambda row: row.step_share or 0.0, default=None)
        if worst is not None:
            line += f"; at worst {of_a_step(worst.step_share or 0.0)} ({worst.cell})"
        lines.append(line)
    return lines


def _skipped(skipped: Mapping[str, str]) -> str:
    by_reason: dict[str, list[str]] = {}
    for cell, why in skipped.items():
        by_reason.setdefault(why, []).append(cell)
    return "".join(f"- {why} ({len(cells)} cells): {', '.join(cells)}\n" for why, cells in by_reason.items())


def _sections(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    rows = list(rows)
    eager = [
        (f"{level}: {text}", [row for row in rows if row.cell.level == level and row.cell.mode == "eager"])
        for level, text in LEVELS.items()
    ]
    compiled = ("torch.compile", [row for row in rows if row.cell.mode == "compile"])
    return [(title, group) for title, group in [*eager, compiled] if group]


def _section(title: str, rows: Sequence[Row]) -> str:
    others = list(dict.fromkeys(row.backend for row in rows if row.backend != BASELINE))
    cells: dict[Cell, dict[str, Row]] = {}
    for row in rows:
        cells.setdefault(row.cell, {})[row.backend] = row
    compiled = rows[0].cell.mode == "compile"
    header = ["level"] * compiled + ["chunking", "image", "batch", "layout", f"{BASELINE} us", "of the limit"]
    header += [f"{name} / {BASELINE}" for name in others] + ["noisy", "einops, in words"]
    header += ["compile s, by backend"] * compiled
    return f"\n## {title[0].upper()}{title[1:]}\n\n" + markdown_table(
        header, (_line(cell, found, others) for cell, found in cells.items())
    )


def _line(cell: Cell, found: Mapping[str, Row], others: Sequence[str]) -> list[object]:
    base = found[BASELINE]
    line: list[object] = [cell.level] if cell.mode == "compile" else []
    line += [cell.chunking, cell.image, cell.batch, cell.layout.replace("_", " ")]
    line += [f"{base.microseconds:,.4g}", f"{base.limit_share or 0:.0%}"]
    line += [_ratio(found[name]) if name in found else None for name in others]
    line += ["noisy" if any(row.noisy for row in found.values()) else None, found["einops"].verdict]
    if cell.mode == "compile":
        line.append(", ".join(f"{name} {row.compile_seconds or 0:.1f}" for name, row in found.items()))
    return line


def _ratio(row: Row) -> str:
    text = f"{row.ratio.ratio:.2f} ({row.ratio.low:.2f} to {row.ratio.high:.2f})"
    return f"**{text}**" if row.ratio.differs else text
