"""`status --watch`: who does what, how fast it goes, and what is left; redrawn in place until all is over."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from studies.cli.console import is_screen, out, say
from studies.cli.doing.status import Row, chosen, counts, plain, row_of
from studies.cli.grid import Grid
from studies.findings.words import MISSING, duration, plural
from studies.ledger.folder import ResultsFolder
from studies.ledger.pace import Pace, Working, pace

SILENT_SECONDS = 30.0
"""Of a worker, that are worth a word: it says that it lives every 5."""
HEADERS = ("arm", "trial", "epoch", "for", "left", "where")


def watch(study: str | None, results: Path, as_json: bool, storage: str | None, every: float) -> None:
    """Show studies until they are complete or Ctrl-C is pressed; once, where nothing can be redrawn."""
    found = chosen(study, results, storage)
    if as_json:
        say(json.dumps([_plain(row_of(folder)) for folder in found], ensure_ascii=False, indent=1))
    elif not is_screen():
        out.print(picture([row_of(folder) for folder in found]))
    else:
        redraw(found, every, out)


def redraw(
    found: list[ResultsFolder], every: float, console: Console, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Look every so many seconds. What ends meanwhile is looked at twice: a study may have another round."""
    ended = False
    rows = [row_of(folder) for folder in found]
    with Live(picture(rows, console.height), console=console, auto_refresh=False) as live:
        try:
            while not (ended and all_over(rows)):
                ended = all_over(rows)
                sleep(every)
                rows = [row_of(folder) for folder in found]
                live.update(picture(rows, console.height), refresh=True)
        except KeyboardInterrupt:  # the last picture stays; nothing was interrupted but looking
            return


def all_over(rows: list[Row]) -> bool:
    """Whether nothing is left to watch: studies without a storage never change, one that is away may come back."""
    return all(row.seen.over if row.seen else row.counted is not None for row in rows)


def picture(rows: list[Row], height: int = 10_000) -> RenderableType:
    """The counts of all studies, and of those that are not over who does what."""
    parts: list[RenderableType] = [counts(rows)]
    going = [row for row in rows if row.seen and not row.seen.over]
    room = max(3, (height - 6 - len(rows)) // max(1, len(going)) - 6)
    for row in going:
        parts += _study(row, room, named=len(rows) > 1)
    if not going:
        parts.append(Text("nothing runs or waits"))
    return Group(*parts)


def _study(row: Row, room: int, named: bool) -> list[RenderableType]:
    assert row.seen is not None
    found = pace(row.seen)
    rows = [_cells(one) for one in found.working[:room]]
    if len(found.working) > room:
        rows.append([f"… {plural(len(found.working) - room, 'more trial')}", *[""] * (len(HEADERS) - 1)])
    title = row.folder.name if named else ""
    parts: list[RenderableType] = [Grid(HEADERS, rows, title, right=(3, 4))] if rows else [Text(title)] * named
    return [*parts, *map(Text, _lines(row, found))]


def _cells(one: Working) -> list[str]:
    sign = one.sign
    epoch = f"{min(sign['epoch'] + 1, sign['epochs'])} of {sign['epochs']}" if sign else ""
    silent = f"silent for {duration(one.silence)}" if one.silence and one.silence > SILENT_SECONDS else ""
    process = [f"process {sign['pid']}", sign["device"]] if sign else []
    where = ", ".join(filter(None, [one.host, *process, silent]))
    return [one.arm, one.what, epoch, duration(one.since), MISSING if one.left is None else duration(one.left), where]


def _lines(row: Row, found: Pace) -> list[str]:
    assert row.seen is not None
    tuning = sum(search.left for search in row.seen.searches)
    speed = f"{found.per_hour:,.0f} trials an hour" if found.per_hour else "no trial ended within the last hour"
    if found.seconds_left is not None:
        left = f"about {duration(found.seconds_left)} left" + (" of the tuning" if tuning else "")
    else:
        left = "nobody works on it" if not found.working else "time left unknown"
    lines = [f"{speed} · {left}"]
    if found.failures:
        lines.append("failed: " + _said(found.failures))
    if found.again:
        lines.append("ran again: " + _said(found.again))
    return lines


def _said(kinds: Any) -> str:
    return ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in kinds.most_common())


def _plain(row: Row) -> dict[str, Any]:
    """For JSON: as `status --json`, and what runs."""
    if row.seen is None:
        return plain(row)
    found = {**vars(pace(row.seen))}
    found["working"] = [asdict(one) for one in found["working"]]
    return {**plain(row), "over": row.seen.over, "now": f"{row.seen.now.isoformat()}Z", **found}
