"""What a run shows: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

import pandas as pd
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from studies.design import Plan, Trial
from studies.ledger import Entry
from studies.progress import Observer, Progress
from studies.trial import Outcome


def duration(seconds: float) -> str:
    """``75 -> "1 min 15 s"``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def percent(share: float, digits: int = 2) -> str:
    """``0.97123 -> "97.12 %"``; a missing value is a dash."""
    return "–" if pd.isna(share) else f"{100 * share:.{digits}f} %"


class PlainScreen(Observer):
    """One line an event, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress: Progress | None = None

    def __enter__(self) -> PlainScreen:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def say(self, text: str) -> None:
        """One line, never wrapped."""
        self.console.print(Text(text), soft_wrap=True)

    def measuring(self, num_cells: int, seconds: float) -> None:
        self.say(f"measuring speed and memory of {num_cells} arms, one at a time: about {duration(seconds)}")

    def packing(self, num_shapes: int) -> None:
        self.say(f"timing packs of {num_shapes} models against the same steps alone")

    def packs(self, name: str, size: int, gain: float) -> None:
        how = f"{size} as one program" if size > 1 else "each by itself"
        self.say(f"trials like {name} train {how}: a pack is {gain:.1f} times as fast as one by one")

    def training(self, progress: Progress) -> None:
        self.progress = progress
        self.say(
            f"{progress.waiting} trials to run with {progress.workers} workers"
            f"{_already(progress)}: about {duration(progress.eta_seconds)}"
        )

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        assert self.progress is not None
        done = self.progress.complete + self.progress.failed
        total = done + self.progress.waiting
        if outcome.reason:
            what = f"FAILED {outcome.reason}"
        else:
            what = f"val {percent(outcome.record['val_accuracy'])} in {outcome.record['wall_seconds']:.1f} s"
        left = duration(self.progress.eta_seconds)
        self.say(f"[{done}/{total}] {trial.label}: {what}, {self.progress.failed} failed, {left} left")

    def requeued(self, trial: Trial, attempt: int) -> None:
        self.say(f"the worker of {trial.label} was killed; it runs again (attempt {attempt})")

    def divided(self, trials: list[Trial], together: int, why: str) -> None:
        again = f"at most {together} together" if together > 1 else "one by one"
        self.say(f"a pack of {len(trials)} trials with {trials[0].label} {why}; they run again, {again}")

    def stopping(self, running: int) -> None:
        self.say(f"stopping: {running} running trials finish first; press Ctrl-C again to stop at once")


class LiveScreen(PlainScreen):
    """Every arm's accuracy so far, what is running, and the time left, redrawn in place."""

    def __init__(self, console: Console, plan: Plan, entries: Iterable[Entry] = ()) -> None:
        super().__init__(console)
        self.plan = plan
        self.accuracies: dict[str, list[float]] = defaultdict(list)
        self.failures: dict[str, int] = defaultdict(int)
        self.running: list[Trial] = []
        self.message = ""
        self.measuring_since: tuple[float, float] | None = None
        names = {cell.content_hash: cell.name for cell in plan.runnable}
        for entry in entries:
            if entry.state == "complete" and entry.cell_hash in names:
                self.accuracies[names[entry.cell_hash]].append(entry.record["val_accuracy"])
        self.live = Live(console=console, get_renderable=self.render, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveScreen:
        self.live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.live.stop()

    def say(self, text: str) -> None:
        self.message = text

    def measuring(self, num_cells: int, seconds: float) -> None:
        self.measuring_since = time.monotonic(), seconds
        super().measuring(num_cells, seconds)

    def training(self, progress: Progress) -> None:
        super().training(progress)
        self.measuring_since = None
        self.message = ""

    def started(self, trial: Trial) -> None:
        self.running.append(trial)

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        self.running.remove(trial)
        if outcome.reason:
            self.failures[trial.cell.name] += 1
            self.message = f"{trial.label} failed: {outcome.reason}"
        else:
            self.accuracies[trial.cell.name].append(outcome.record["val_accuracy"])

    def requeued(self, trial: Trial, attempt: int) -> None:
        self.running.remove(trial)
        super().requeued(trial, attempt)

    def divided(self, trials: list[Trial], together: int, why: str) -> None:
        for trial in trials:
            self.running.remove(trial)
        super().divided(trials, together, why)

    def render(self) -> RenderableType:
        """The table, the bar and the last message."""
        title = f"{self.plan.study} on {self.plan.dataset}, {self.plan.device}"
        parts: list[RenderableType] = [_one_line(title, "italic"), self._table(), self._bar(), self._status()]
        if self.message:
            parts.append(_one_line(self.message, "yellow"))
        return Group(*parts)

    def _table(self) -> Table:
        names = [cell.name for cell in self.plan.cells]
        names.sort(key=lambda name: -fmean(self.accuracies[name]) if self.accuracies[name] else 1.0)
        room = max(3, self.console.height - 9)
        rows = [self._row(name) for name in names[:room]]
        if len(names) > room:
            rows.append([f"… {len(names) - room} more arms", "", "", "", ""])
        headers = ("arm", "trials", "validation", "now", "spread, %")
        bold = [name == self.plan.baseline for name in names[:room]]
        return _table(None, headers, rows, bold, self.console.width)

    def _row(self, name: str) -> list[str]:
        seeds = ", ".join(str(trial.seed) for trial in list(self.running) if trial.cell.name == name)
        values = self.accuracies[name]
        failed = f", {self.failures[name]} failed" if self.failures[name] else ""
        spread = f"{100 * min(values):.2f} – {100 * max(values):.2f}" if values else ""
        mean = percent(fmean(values)) if values else "–"
        return [name, f"{len(values)}{failed}", mean, f"seed {seeds}" if seeds else "", spread]

    def _bar(self) -> RenderableType:
        width = min(60, self.console.width)
        if self.measuring_since:
            since, seconds = self.measuring_since
            return _line(ProgressBar(total=seconds, completed=min(seconds, time.monotonic() - since), width=width))
        if self.progress is None:
            return Text("")
        done = self.progress.complete + self.progress.failed
        return _line(ProgressBar(total=max(1, done + self.progress.waiting), completed=done, width=width))

    def _status(self) -> Text:
        if self.progress is None:
            return Text("preparing")
        p = self.progress
        return _one_line(
            f"{p.complete} done · {len(self.running)} running · {p.failed} failed · "
            f"{p.waiting - len(self.running)} waiting · about {duration(p.eta_seconds)} left"
        )


def ranked_table(plan: Plan, cells: pd.DataFrame, width: int) -> Table:
    """The arms by mean test accuracy, with intervals and speed; as many columns as ``width`` holds."""
    headers = ["arm", "n", "test %", "95 % interval", "train\nimg/s", "infer\nimg/s", "params", "tokens"]
    rows = [_ranked_row(cell) for _, cell in cells.iterrows()]
    if cells["failed"].any():
        headers.insert(2, "failed")
        for row, failed in zip(rows, cells["failed"], strict=True):
            row.insert(2, str(failed))
    title = f"{plan.study} on {plan.dataset}, {plan.device}: {plan.question}"
    table = _table(Text(title), headers, rows, list(cells["baseline"]), width)
    caption = ["bold: the baseline · interval: Student's t over seeds · – : not available"]
    for name, reason in zip(cells["cell"], cells["unsupported"], strict=True):
        if not pd.isna(reason):
            caption.append(f"{name} cannot be: {reason}")
    table.caption = Text("\n".join(caption))
    return table


def _ranked_row(cell: pd.Series[Any]) -> list[str]:
    low, high = cell["test_accuracy_low"], cell["test_accuracy_high"]
    return [
        cell["cell"],
        str(cell["n"]),
        _hundredths(cell["test_accuracy_mean"]),
        "–" if pd.isna(low) else f"{_hundredths(low)} – {_hundredths(high)}",
        *(_count(cell[name]) for name in ("train_images_per_second", "infer_images_per_second")),
        *(_count(cell[name]) for name in ("params", "num_tokens")),
    ]


def _table(
    title: Text | None, headers: Sequence[str], rows: Sequence[Sequence[str]], bold: Sequence[bool], width: int
) -> Table:
    """A table whose last columns are left out where ``width`` does not hold them; names are never cut short."""
    table = Table(title=title, title_justify="left", caption_justify="left")
    left = width - 1
    for i, header in enumerate(headers):
        left -= 3 + max(cell_len(line) for text in (header, *(row[i] for row in rows)) for line in text.split("\n"))
        if i and left < 0:
            break
        table.add_column(header, justify="right" if i else "left", overflow="fold")
    for i, row in enumerate(rows):
        table.add_row(*map(Text, row[: len(table.columns)]), style="bold" if i < len(bold) and bold[i] else "")
    return table


def _line(bar: ProgressBar) -> Table:
    """A bar on a line of its own; by itself it ends without one."""
    line = Table.grid()
    line.add_row(bar)
    return line


def _one_line(text: str, style: str = "") -> Text:
    """Cut short rather than wrapped, so that the height of the live table is known."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _hundredths(share: float) -> str:
    return "–" if pd.isna(share) else f"{100 * share:.2f}"


def _count(value: Any) -> str:
    return "–" if pd.isna(value) else f"{value:,.0f}"


def _already(progress: Progress) -> str:
    done = progress.complete + progress.failed
    return f" ({done} are finished already)" if done else ""
