"""The comparison with other libraries written down: CSV, Markdown and bar chart."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bench.peers import PEERS
from bench.tables import markdown_table, provenance_lines, write_atomically, write_csv
from bench.timing import Ratio, Timing, paired_ratio

OURS = "ours"
COMPILED = "ours, compiled"
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#999999", "#d55e00", "#56b4e9", "#000000", "#f0e442")

INTRODUCTION = """# Speed beside other libraries

The same architecture in every library: embed_dim/depth, patches, heads, mlp_ratio, class token, learned positions.
All ran in turn, round by round, in one process. "Ours is faster by" is the time of the other over ours, paired by
round, geometric mean with 95 % interval. A train step is forward, backward and update: the libraries as their
guides write it, in float32 with AdamW; ours as `studies.train.fit` does it, with what its rule chose for the
shape. Images lie ready in memory, but for two: `notebook` reads them one by one through its DataLoader, and `ours,
loading` indexes and scales a resident uint8 data set. `timm, bfloat16` is timm under the same autocast as ours: what
its users get who ask for it, and `timm, compiled` is timm through `torch.compile`, in float32. `ours, compiled` is our
step as one compiled program (`studies/program.py`), which the rule chooses for a training long enough to earn the
compiling back; how long that takes stands beside it. Inference is float32 for all. `noisy`:
interquartile range above 10 % of the median.

"""


@dataclass(frozen=True)
class PeerRow:
    """One contestant in one cell; ``ratio`` is its time over ours, above 1 where ours is faster.

    ``over_compiled`` is its time over ours compiled, ``compile_seconds`` what compiling took; None where nothing was.
    """

    shape: str
    tokens: int
    batch: int
    task: str
    contestant: str
    images_per_second: float
    spread: float
    noisy: bool
    rounds: int
    ratio: Ratio
    compute: str
    over_compiled: Ratio | None
    compile_seconds: float | None

    def as_dict(self) -> dict[str, Any]:
        """Flat, for a CSV."""
        flat = asdict(self)
        for name, short in (("ratio", ""), ("over_compiled", "compiled_")):
            ratio = flat.pop(name) or dict.fromkeys(("ratio", "low", "high"))
            flat[f"ours_{short}faster_by"] = ratio["ratio"]
            flat |= {f"{short}low": ratio["low"], f"{short}high": ratio["high"]}
        return flat


def rows_of(
    shape: str,
    tokens: int,
    batch: int,
    task: str,
    timings: Mapping[str, Timing],
    compute: Mapping[str, str],
    compile_seconds: float,
) -> list[PeerRow]:
    """One row a contestant, from timings of one interleaved run; ``compute`` says dtype and attention of each."""
    compiled = timings.get(COMPILED)
    return [
        PeerRow(
            *(shape, tokens, batch, task, name),
            images_per_second=timing.rate(batch),
            spread=timing.iqr / timing.median,
            noisy=timing.noisy,
            rounds=len(timing.seconds),
            ratio=paired_ratio(timing, timings[OURS]),
            compute=compute[name],
            over_compiled=None if compiled is None else paired_ratio(timing, compiled),
            compile_seconds=compile_seconds if name == COMPILED else None,
        )
        for name, timing in timings.items()
    ]


def write_peers(
    folder: Path, rows: Sequence[PeerRow], parameters: Mapping[str, str], provenance: Mapping[str, str]
) -> None:
    """Write ``peers.csv``, ``peers.md`` and ``peers.png``.

    Args:
        folder: made when missing.
        rows: of all cells.
        parameters: peer -> how its parameter counts differ from ours.
        provenance: goes below the tables; its machine also into the CSV.

    Raises:
        OSError: the folder cannot be written.
    """
    write_csv(folder / "peers.csv", [row.as_dict() | {"machine": provenance["machine"]} for row in rows])
    write_atomically(folder / "peers.png", draw(rows))
    parts = [INTRODUCTION, "".join(f"- {line}\n" for line in headline(rows)), "\n![speed](peers.png)\n"]
    parts += [f"\n## {task.capitalize()}\n\n{_table(group)}" for task, group in _by_task(rows)]
    lines = [[name, PEERS[name].difference, text] for name, text in parameters.items()]
    parts.append("\n## Parameters\n\n" + markdown_table(["library", "differs from ours in", "parameters"], lines))
    parts.append("\n## Measured with\n\n" + provenance_lines(provenance))
    write_atomically(folder / "peers.md", "".join(parts))


def headline(rows: Sequence[PeerRow]) -> list[str]:
    """A line for every cell: ours against the fastest library; the notebook's net is a smaller one."""
    lines = []
    for (task, shape, batch), cell in _cells(rows):
        others = [row for row in cell if row.contestant in PEERS and row.contestant != "notebook"]
        if others:
            best = min(others, key=lambda row: row.ratio.ratio)
            line = f"{task}, {shape}, {best.tokens} tokens, batch {batch}: ours is {_text(best.ratio)} times as fast "
            line += f"as the fastest library, {best.contestant}"
            lines.append(line + _compiled(best, cell))
    return lines


def _compiled(best: PeerRow, cell: Sequence[PeerRow]) -> str:
    """What compiling adds, and when it is earned back."""
    rows = {row.contestant: row for row in cell}
    if best.over_compiled is None or COMPILED not in rows:
        return ""
    compiled, saved = rows[COMPILED], best.batch / rows[OURS].images_per_second
    saved -= best.batch / compiled.images_per_second
    back = f"earned back by {compiled.compile_seconds / saved:,.0f} steps" if saved > 0 else "never earned back"
    return f"; compiled {_text(best.over_compiled)} times, in {compiled.compile_seconds:.0f} s, {back}"


def draw(rows: Sequence[PeerRow]) -> bytes:
    """A PNG: a panel a task, a group of bars a cell, ours at 1."""
    figure = Figure(figsize=(15, 8), layout="constrained")
    groups = _by_task(rows)
    panels = figure.subplots(len(groups), 1, squeeze=False)[:, 0]
    names = list(dict.fromkeys(row.contestant for row in rows))
    for panel, (task, group) in zip(panels, groups, strict=True):
        cells = list(_cells(group))
        for x, (_, cell) in enumerate(cells):
            for row in cell:
                lane = names.index(row.contestant)
                _bar(panel, x + 0.8 * ((lane + 0.5) / len(names) - 0.5), 0.8 / len(names), row, COLOURS[lane])
        panel.set_xticks(range(len(cells)), [f"{shape}\nbatch {batch}" for (_, shape, batch), _ in cells])
        panel.set_title(task)
        panel.set_ylabel("speed, ours = 1")
        panel.axhline(1.0, color="black", linewidth=0.8)
        panel.spines[["top", "right"]].set_visible(False)
    handles = [panels[0].bar(0, 0, color=COLOURS[i], label=name) for i, name in enumerate(names)]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110, metadata={"Software": None})
    return png.getvalue()


def _bar(panel: Any, x: float, width: float, row: PeerRow, colour: str) -> None:
    speed = 1 / row.ratio.ratio
    panel.bar(x, speed, width, color=colour)
    panel.plot([x, x], [1 / row.ratio.high, 1 / row.ratio.low], color="black", linewidth=0.8)


def _table(rows: Sequence[PeerRow]) -> str:
    header = ["embed/depth", "tokens", "batch", "contestant", "computed in", "images/s", "ours is faster by"]
    return markdown_table([*header, "ours, compiled, by", "noisy"], map(_line, rows))


def _line(row: PeerRow) -> list[object]:
    line: list[object] = [row.shape, row.tokens, row.batch, row.contestant, row.compute]
    line.append(f"{row.images_per_second:,.0f}")
    line.append(None if row.contestant == OURS else _text(row.ratio))
    line.append(None if row.contestant == COMPILED else _text(row.over_compiled))
    return [*line, "noisy" if row.noisy else None]


def _text(ratio: Ratio | None) -> str | None:
    return None if ratio is None else f"{ratio.ratio:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _by_task(rows: Sequence[PeerRow]) -> list[tuple[str, list[PeerRow]]]:
    tasks = dict.fromkeys(row.task for row in rows)
    return [(task, [row for row in rows if row.task == task]) for task in tasks]


def _cells(rows: Sequence[PeerRow]) -> Iterator[tuple[tuple[str, str, int], list[PeerRow]]]:
    for key, cell in groupby(rows, key=lambda row: (row.task, row.shape, row.batch)):
        yield key, list(cell)
