"""The comparison with other libraries written down: CSV, Markdown and bar chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bench.entrants import LOADING, NOTEBOOK, OURS, Entrant
from bench.files import write, write_text
from bench.peers import PEERS
from bench.tables import markdown_table, provenance_lines, write_csv
from bench.timing import Ratio, Timing, paired_ratio

COLOURS = {
    "float32": "#0072b2",
    "bfloat16": "#e69f00",
    "float32, compiled": "#56b4e9",
    "bfloat16, compiled": "#f0e442",
}

INTRODUCTION = """# Speed beside other libraries

The same architecture in every library: embed_dim/depth, patches, heads, mlp_ratio, class token, learned positions;
and where a library has them, registers, rotary positions (RoPE), CCT's convolutional stem with sequence pooling. What
still differs stands below, with the parameters.
All ran in turn, round by round, in one process. "Like for like" is the time of the other over ours in the same number
format, both eager or both compiled; "ours as chosen" is its time over ours as our rule computes a short training of
that shape. Ratios are paired by round: geometric mean with 95 % interval.

A train step is forward, backward and update: the libraries as their guides write it, with AdamW, in bfloat16 under
autocast; ours as `studies/training/fit.py` does it. Images lie ready in memory, but for two that take part at the
smallest shape: `notebook` reads them one by one through its DataLoader, and `ours, loading` indexes and scales a
resident uint8 data set. Inference in bfloat16 has weights and images converted once, for all; "logits off by" is the
largest difference from the same library's logits in float32, in standard deviations of those. `compiled` is
`torch.compile`: the libraries' forward and backward, all of ours but the update, which our rule chooses for a training
long enough to earn the compiling back. `noisy`: interquartile range above 10 % of the median.

"""


@dataclass(frozen=True)
class PeerRow:
    """One entrant in one cell: its speed, and its time over ours, above 1 where ours is faster.

    ``compile_seconds`` and ``logits_off`` are None where nothing was compiled or no logits were compared.
    """

    shape: str
    tokens: int
    batch: int
    task: str
    entrant: Entrant
    images_per_second: float
    spread: float
    noisy: bool
    rounds: int
    like_for_like: Ratio
    as_chosen: Ratio
    chosen: bool
    compile_seconds: float | None = None
    logits_off: float | None = None

    @property
    def is_library(self) -> bool:
        """Whether it has our architecture, and not our code."""
        return self.entrant.library not in (OURS, LOADING, NOTEBOOK)

    def as_dict(self) -> dict[str, Any]:
        """Flat, for a CSV."""
        flat = asdict(self)
        flat = {name: flat.pop(name) for name in ("shape", "tokens", "batch", "task")} | flat.pop("entrant") | flat
        for name in ("like_for_like", "as_chosen"):
            ratio = flat.pop(name)
            flat |= {name: ratio["ratio"], f"{name}_low": ratio["low"], f"{name}_high": ratio["high"]}
        return flat


def rows_of(
    cell: tuple[str, int, int, str],
    timings: Mapping[Entrant, Timing],
    chosen: Entrant,
    compile_seconds: Mapping[Entrant, float],
    off: Mapping[Entrant, float],
) -> list[PeerRow]:
    """One row an entrant, from timings of one interleaved run of a cell: shape, tokens, batch, task."""
    return [
        PeerRow(
            *cell,
            entrant,
            images_per_second=timing.rate(cell[2]),
            spread=timing.iqr / timing.median,
            noisy=timing.noisy,
            rounds=len(timing.seconds),
            like_for_like=paired_ratio(timing, timings[entrant.like_ours]),
            as_chosen=paired_ratio(timing, timings[chosen]),
            chosen=entrant == chosen,
            compile_seconds=compile_seconds.get(entrant),
            logits_off=off.get(entrant),
        )
        for entrant, timing in timings.items()
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
    write_csv(folder, "peers.csv", [row.as_dict() | {"machine": provenance["machine"]} for row in rows])
    write(folder, "peers.png", partial(draw, rows))
    parts = [INTRODUCTION, "".join(f"- {line}\n" for line in headline(rows)), "\n![speed](peers.png)\n"]
    parts += [f"\n## {task.capitalize()}\n\n{_table(group)}" for task, group in _by_task(rows)]
    lines = [[name, PEERS[name].difference, text] for name, text in parameters.items()]
    parts.append("\n## Parameters\n\n" + markdown_table(["library", "differs from ours in", "parameters"], lines))
    parts.append("\n## Measured with\n\n" + provenance_lines(provenance))
    write_text(folder, "peers.md", "".join(parts))


def headline(rows: Sequence[PeerRow]) -> list[str]:
    """A line for every cell: ours against the fastest library, like for like first, then as our rule chooses."""
    lines = []
    for (task, shape, batch), cell in _cells(rows):
        fastest = fastest_alike(cell)
        if not fastest:
            continue
        alike = ", ".join(
            f"{_text(row.like_for_like)} in {arithmetic} ({row.entrant.library})" for arithmetic, row in fastest.items()
        )
        line = f"{task}, {shape}, {cell[0].tokens} tokens, batch {batch}: like for like, ours is so many times as fast "
        lines.append(line + f"as the fastest library: {alike}{_chosen(cell)}{_earned_back(cell)}")
    return lines


def fastest_alike(cell: Sequence[PeerRow]) -> dict[str, PeerRow]:
    """The fastest library of a cell in every arithmetic, by that."""
    found: dict[str, PeerRow] = {}
    for row in sorted(filter(lambda row: row.is_library, cell), key=lambda row: -row.like_for_like.ratio):
        found[row.entrant.arithmetic] = row
    return {arithmetic: found[arithmetic] for arithmetic in COLOURS if arithmetic in found}


def _chosen(cell: Sequence[PeerRow]) -> str:
    """Ours as the rule has it against the fastest library, whatever that computes in."""
    uncompiled = [row for row in cell if row.is_library and not row.entrant.compiled]
    best = min(uncompiled, key=lambda row: row.as_chosen.ratio)
    what = f"; as chosen, in {_ours(cell).entrant.dtype}, {_text(best.as_chosen)} times"
    return f"{what} the fastest uncompiled one, {best.entrant}"


def _earned_back(cell: Sequence[PeerRow]) -> str:
    """How soon compiling ours is worth it, in the number format that our rule chooses."""
    chosen = _ours(cell)
    found = [row for row in cell if row.entrant == Entrant(OURS, chosen.entrant.dtype, compiled=True)]
    if not found or found[0].compile_seconds is None:
        return ""
    saved = found[0].batch / chosen.images_per_second - found[0].batch / found[0].images_per_second
    back = f"earned back by {found[0].compile_seconds / saved:,.0f} steps" if saved > 0 else "never earned back"
    return f"; compiled in {found[0].compile_seconds:.0f} s, {back}"


def _ours(cell: Sequence[PeerRow]) -> PeerRow:
    return next(row for row in cell if row.chosen)


def draw(rows: Sequence[PeerRow], path: Path) -> None:
    """Save a PNG: a panel a task, a group of bars a cell: ours over the fastest library in the same arithmetic."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    groups = _by_task(rows)
    panels = figure.subplots(len(groups), 1, squeeze=False)[:, 0]
    for panel, (task, group) in zip(panels, groups, strict=True):
        cells = list(_cells(group))
        for x, (_, cell) in enumerate(cells):
            fastest = fastest_alike(cell)
            for lane, (arithmetic, row) in enumerate(fastest.items()):
                _bar(panel, x + 0.2 * (lane - (len(fastest) - 1) / 2), row.like_for_like, look_of(arithmetic))
        labels = ["\n".join([*shape.split(" "), f"batch {batch}"]) for (_, shape, batch), _ in cells]
        panel.set_xticks(range(len(cells)), labels)
        panel.set_title(task)
        panel.set_ylabel("ours, times as fast as\nthe fastest library")
        panel.axhline(1.0, color="black", linewidth=0.8)
        panel.spines[["top", "right"]].set_visible(False)
    handles = [Patch(label=f"both in {name}", **look_of(name)) for name in COLOURS]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


def look_of(arithmetic: str) -> dict[str, Any]:
    """A bar's colour, and stripes for bfloat16: told apart without colours, too."""
    stripes = "///" if arithmetic.startswith("bfloat16") else None
    colour = COLOURS[arithmetic]
    return {"facecolor": colour, "hatch": stripes, "edgecolor": "black" if stripes else colour}


def _bar(panel: Any, x: float, ratio: Ratio, look: Mapping[str, Any]) -> None:
    panel.bar(x, ratio.ratio, 0.2, **look)
    panel.plot([x, x], [ratio.low, ratio.high], color="black", linewidth=0.8)


def _table(rows: Sequence[PeerRow]) -> str:
    header = ["embed/depth", "tokens", "batch", "library", "computed in", "images/s", "like for like", "ours as chosen"]
    return markdown_table([*header, "logits off by", "noisy"], map(_line, rows))


def _line(row: PeerRow) -> list[object]:
    own = row.entrant == row.entrant.like_ours
    line: list[object] = [row.shape, row.tokens, row.batch, row.entrant.library, row.entrant.arithmetic]
    line += [f"{row.images_per_second:,.0f}", None if own else _text(row.like_for_like), _text(row.as_chosen)]
    return [*line, None if row.logits_off is None else f"{row.logits_off:.3f}", "noisy" if row.noisy else None]


def _text(ratio: Ratio) -> str:
    return f"{ratio.ratio:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _by_task(rows: Sequence[PeerRow]) -> list[tuple[str, list[PeerRow]]]:
    tasks = dict.fromkeys(row.task for row in rows)
    return [(task, [row for row in rows if row.task == task]) for task in tasks]


def _cells(rows: Sequence[PeerRow]) -> Iterator[tuple[tuple[str, str, int], list[PeerRow]]]:
    for key, cell in groupby(rows, key=lambda row: (row.task, row.shape, row.batch)):
        yield key, list(cell)
