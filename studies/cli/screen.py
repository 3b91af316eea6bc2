"""What a run shows: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from studies.cli.grid import Grid
from studies.design.plan import Plan, Trial
from studies.findings.words import MISSING, duration, percent, plural, span
from studies.running.progress import Observer, Progress, Tried
from studies.trial.record import Outcome


class PlainScreen(Observer):
    """One line an event, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress: Progress | None = None
        self.awaited = 0

    def __enter__(self) -> PlainScreen:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def say(self, text: str) -> None:
        """One line, never wrapped."""
        self.console.print(Text(text), soft_wrap=True)

    def measuring(self, num_cells: int, seconds: float) -> None:
        self.say(f"measuring speed and memory of {num_cells} arms, one at a time: about {duration(seconds)}")

    def searched(self, tried: Tried) -> None:
        words = ", ".join(
            f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in tried.found.settings.items()
        )
        record, reason = tried.outcome.record, tried.outcome.reason
        given_up = ", given up" if record.get("pruned") else ""
        what = f"FAILED {reason}" if reason else f"val {percent(record['val_accuracy'])}{given_up}"
        left = f"about {duration(tried.seconds_left)} left of the tuning" if tried.seconds_left else "tuning is over"
        self.say(f"tuning {tried.arm} [{tried.place}/{tried.trials}] {words}: {what}, {left}")

    def training(self, progress: Progress) -> None:
        self.progress = progress
        self.say(
            f"{plural(progress.waiting, 'trial')} to run with {plural(progress.workers, 'worker')}"
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
            what += ", from a checkpoint" if outcome.record.get("resumed") else ""
        what += f" ({notes})" if (notes := outcome.record.get("notes")) else ""
        left = duration(self.progress.eta_seconds)
        self.say(f"[{done}/{total}] {trial.label}: {what}, {self.progress.failed} failed, {left} left")

    def requeued(self, trial: Trial, attempt: int) -> None:
        self.say(f"the worker of {trial.label} was killed; it runs again (attempt {attempt})")

    def divided(self, trials: list[Trial], together: int, why: str) -> None:
        again = f"at most {together} together" if together > 1 else "one by one"
        self.say(f"a pack of {len(trials)} trials with {trials[0].label} {why}; they run again, {again}")

    def taken(self, trial: Trial) -> None:
        self.say(f"{trial.label} was taken over by another driver, which had not heard of this one for too long")

    def elsewhere(self, running: int) -> None:
        if running != self.awaited:
            self.awaited = running
            self.say(f"nothing is left to do here; {plural(running, 'trial')} of other drivers are awaited")

    def storage_away(self, seconds: float, why: str) -> None:
        self.say(f"the storage is away ({why}); trying again in {seconds:.1f} s")

    def stopping(self, running: int) -> None:
        self.say(f"stopping: {running} running trials finish first; press Ctrl-C again to stop at once")


class LiveScreen(PlainScreen):
    """Every arm's accuracy so far, what is running, and the time left, redrawn in place.

    Args:
        console: to draw on.
        plan: whose arms are the rows.
        scores: of trials that were complete before: the hash of a cell and a validation accuracy each.
    """

    def __init__(self, console: Console, plan: Plan, scores: Iterable[tuple[str, float]] = ()) -> None:
        super().__init__(console)
        self.plan = plan
        self.accuracies: dict[str, list[float]] = defaultdict(list)
        self.failures: dict[str, int] = defaultdict(int)
        self.running: list[Trial] = []
        self.message = ""
        self.measuring_since: tuple[float, float] | None = None
        names = {cell.content_hash: cell.name for cell in plan.runnable}
        for cell, accuracy in scores:
            if cell in names:
                self.accuracies[names[cell]].append(accuracy)
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

    def taken(self, trial: Trial) -> None:
        self.running.remove(trial)
        super().taken(trial)

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
        bold = [i for i, name in enumerate(names[:room]) if name == self.plan.baseline]
        return Grid(headers, rows, right=range(1, len(headers)), bold=bold, whole=False).drawn(self.console.width)

    def _row(self, name: str) -> list[str]:
        seeds = ", ".join(str(trial.seed) for trial in list(self.running) if trial.cell.name == name)
        values = self.accuracies[name]
        failed = f", {self.failures[name]} failed" if self.failures[name] else ""
        spread = span(min(values), max(values)) if values else ""
        mean = percent(fmean(values)) if values else MISSING
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


def _line(bar: ProgressBar) -> Table:
    """A bar on a line of its own; by itself it ends without one."""
    line = Table.grid()
    line.add_row(bar)
    return line


def _one_line(text: str, style: str = "") -> Text:
    """Cut short rather than wrapped, so that the height of the live table is known."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _already(progress: Progress) -> str:
    done = progress.complete + progress.failed
    return f" ({done} are finished already)" if done else ""
