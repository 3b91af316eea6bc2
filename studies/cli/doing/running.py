"""`run`."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import typer

from studies.cli.console import FAILED_TRIALS, INTERRUPTED, err, is_screen, out, printable, say
from studies.cli.doing.foreseeing import planned_looks
from studies.cli.doing.growing import Budget, InRounds, UntilDecided, note_plan
from studies.cli.doing.planned import plan_of
from studies.cli.doing.searching import searched
from studies.cli.doing.showing import show
from studies.cli.doing.tuning import named
from studies.cli.executors import Place
from studies.cli.options import Asked, Growing, default_workers
from studies.cli.screen import LiveScreen, PlainScreen
from studies.cli.way import Way
from studies.design.plan import Plan
from studies.findings.fidelity import believed
from studies.findings.importing import finished_in, notes_in
from studies.findings.published import as_published
from studies.findings.words import plural
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.ledger.mounts import guard
from studies.ledger.portable import adopt
from studies.ledger.states import scores
from studies.ledger.urls import without_password
from studies.report.logs import Logs
from studies.report.tracebacks import Failure, failures
from studies.running.cluster import ClusterExecutor
from studies.running.committing import Reach
from studies.running.effort import BRIEF, FULL
from studies.running.executor import TrialExecutor
from studies.running.moved import moved
from studies.running.processes import ProcessExecutor
from studies.running.progress import several
from studies.running.queue import Growth
from studies.running.runner import Runner
from studies.trial.care import Care


def run_study(asked: Asked, way: Way) -> None:
    """Run what is not finished, show the results, and end with the code of what happened."""
    place, growing = way.place(asked), way.growing
    made = named(first_plan(plan_of(asked), growing), way.tuning)
    folder = ResultsFolder(asked.results / made.folder, way.storage)
    ledger = ledger_with_what_is_there(folder, made, way.overwrite)
    if way.measure_again:
        ledger.forget_measurement()
    for warning in filter(None, (guard(ledger), moved(ledger, made.device))):
        err.print(printable(warning), soft_wrap=True)
    written = Logs(ledger, folder, way.logs, lambda text: err.print(printable(text), soft_wrap=True))
    workers = partial(executor_of, place, made.device)
    with told_where(folder):
        made = searched(made, ledger, way.tuning, workers, several(PlainScreen(out), written), folder.signs)
    screen = LiveScreen(out, made, scores(ledger)) if is_screen() else PlainScreen(out)
    if growing.until_decided or growing.look_once:
        note_plan(ledger, growing.most if growing.until_decided else len(made.seeds), growing.look_once)
    executor = executor_of(place, made.device, screen.say, Reach(without_password(ledger.url), ledger.name))
    runner = Runner(
        made,
        ledger,
        folder,
        executor,
        BRIEF if asked.quick else FULL,
        several(screen, written),
        way.again,
        way.together,
        growth(ledger, made, asked, growing),
        Care(every=way.checkpoint_every, limit=way.limit),
        way.retries,
        way.allow_mixed,
    )
    with told_where(folder):
        with screen:
            progress = runner.run()
        published = show(ledger, folder, galleries=not (asked.quick or runner.stop.asked))
        written.close()
    if runner.stop.asked:
        waits = "waits" if progress.waiting == 1 else "wait"
        err.print(f"interrupted: {plural(progress.waiting, 'trial')} {waits}; the same command goes on from here")
        raise typer.Exit(INTERRUPTED)
    for said in (as_published(folder.path), believed(folder.path) if asked.quick else None):
        if said:
            say(said)
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
