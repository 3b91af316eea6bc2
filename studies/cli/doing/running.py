"""`run`."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import typer

from studies.cli.console import FAILED_TRIALS, INTERRUPTED, err, is_screen, out, printable, say
from studies.cli.doing.foreseeing import planned_looks
from studies.cli.doing.growing import Budget, InRounds, UntilDecided, note_plan
from studies.cli.doing.planned import plan_of
from studies.cli.doing.showing import show
from studies.cli.doing.tuning import named, searched
from studies.cli.executors import HERE, Place
from studies.cli.options import Asked, Growing, default_workers
from studies.cli.screen import LiveScreen, PlainScreen
from studies.cli.tuning import Tuning
from studies.design.plan import Plan
from studies.findings.fidelity import believed
from studies.findings.importing import finished_in, notes_in
from studies.findings.published import as_published
from studies.findings.words import plural
from studies.ledger.drivers import RETRIES
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.ledger.mounts import guard
from studies.ledger.portable import adopt
from studies.ledger.states import scores
from studies.ledger.urls import without_password
from studies.report.tracebacks import Failure, failures
from studies.report.tracking import write_logs
from studies.running.cluster import ClusterExecutor
from studies.running.committing import Reach
from studies.running.effort import BRIEF, FULL
from studies.running.executor import TrialExecutor
from studies.running.moved import moved
from studies.running.processes import ProcessExecutor
from studies.running.queue import Growth
from studies.running.runner import Runner
from studies.trial.care import Care


def run_study(
    asked: Asked,
    together: int | None,
    retry: Collection[str],
    growing: Growing,
    tuning: Tuning,
    every: float,
    limit: float | None,
    retries: int = RETRIES,
    storage: str | None = None,
    overwrite: bool = False,
    allow_mixed: bool = False,
    place: Place = HERE,
    measure_again: bool = False,
    logs: Collection[str] = (),
) -> None:
    """Run what is not finished, show the results, and end with the code of what happened."""
    made = first_plan(plan_of(asked), growing)
    made = named(made, tuning)
    folder = ResultsFolder(asked.results / made.folder, storage)
    ledger = ledger_with_what_is_there(folder, made, overwrite)
    if measure_again:
        ledger.forget_measurement()
    for warning in filter(None, (guard(ledger), moved(ledger, made.device))):
        err.print(printable(warning), soft_wrap=True)
    effort = BRIEF if asked.quick else FULL
    made = searched(made, ledger, tuning, partial(executor_of, place, made.device), PlainScreen(out), folder.signs)
    screen = LiveScreen(out, made, scores(ledger)) if is_screen() else PlainScreen(out)
    if growing.until_decided or growing.look_once:
        note_plan(ledger, growing.most if growing.until_decided else len(made.seeds), growing.look_once)
    grow = growth(ledger, made, asked, growing)
    care = Care(every=every, limit=limit or math.inf)
    executor = executor_of(place, made.device, screen.say, Reach(without_password(ledger.url), ledger.name))
    runner = Runner(made, ledger, folder, executor, effort, screen, retry, together, grow, care, retries, allow_mixed)
    with told_where(folder):
        with screen:
            progress = runner.run()
        published = show(ledger, folder, galleries=not (asked.quick or runner.stop.asked))
        write_logs(ledger, folder, list(logs))
    if not runner.stop.asked and (said := as_published(folder.path)):
        say(said)
    if asked.quick and not runner.stop.asked and (worth := believed(folder.path)):
        say(worth)
    if runner.stop.asked:
        waits = "waits" if progress.waiting == 1 else "wait"
        err.print(f"interrupted: {plural(progress.waiting, 'trial')} {waits}; the same command goes on from here")
        raise typer.Exit(INTERRUPTED)
    if progress.failed:
        err.print(printable(of_failures(failures(published.runs), folder)), soft_wrap=True)
        raise typer.Exit(FAILED_TRIALS)


def of_failures(failed: Sequence[Failure], folder: ResultsFolder) -> str:
    """How many trials failed, how, where their tracebacks are, and how they run again."""
    kinds = Counter(one.kind for one in failed)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    where = f"; tracebacks: {folder.tracebacks}" if any(one.file for one in failed) else ""
    again = f"--retry {next(iter(kinds))}" if len(kinds) == 1 else "--retry KIND or --retry-failed"
    return f"{plural(len(failed), 'trial')} failed ({counts}){where}; {again} runs such trials again"


def executor_of(
    place: Place, device: str, told: Callable[[str], None] = say, reach: Reach | None = None
) -> TrialExecutor:
    """Workers, as asked for; of a cluster, those that can reach the storage.

    Raises:
        ClusterError: they cannot be had.
    """
    if place.is_local:
        return ProcessExecutor(place.workers or default_workers(device), device)
    return ClusterExecutor(place.executor, device, place.trials_per_gpu, told, reach)


@contextmanager
def told_where(folder: ResultsFolder) -> Iterator[None]:
    """Whatever ends it, a full disk for example, says of which folder and what became of the trials."""
    try:
        yield
    except Exception as error:
        gone = f"{folder.path} was removed while it was written"
        kept = f"finished trials are kept in {folder.path}, the same command goes on from here"
        error.add_note(kept if folder.holds_study else gone)
        raise


def ledger_with_what_is_there(folder: ResultsFolder, plan: Plan, overwrite: bool) -> Ledger:
    """The storage of a study; tables of one whose storage is elsewhere, a published one say, are taken into it.

    Raises:
        ForeignResultsError: the tables hold trials of another recipe, which a run would replace; nothing is changed.
    """
    known = folder.holds_study and folder.ledger(create=True).notes("plan") is not None
    if known or overwrite or not folder.holds_results:
        return folder.ledger(create=True)
    finished, told = finished_in(folder, plan), notes_in(folder)
    ledger = folder.ledger(create=True)
    adopt(ledger, {name: content for name, content in told.items() if name != "plan"}, finished)
    say(f"{plural(len(finished), 'finished trial')} of {folder.path} are kept: they are not run again")
    return ledger


def first_plan(plan: Plan, growing: Growing) -> Plan:
    """The seeds of the first look, or the first round of a budget; else all of them."""
    if growing.until_decided:
        return dataclasses.replace(plan, seeds=list(range(planned_looks(growing.most)[0])))
    if growing.budget:
        return dataclasses.replace(plan, seeds=[0])
    return plan


def growth(ledger: Ledger, plan: Plan, asked: Asked, growing: Growing) -> Callable[[], Growth | None]:
    """How the study goes on when nothing waits."""
    budget = Budget(growing.seconds)
    if growing.until_decided:
        return UntilDecided(ledger, plan, planned_looks(growing.most), budget)
    if growing.budget:
        return InRounds(plan, asked.seeds or growing.most, budget)
    return lambda: None
