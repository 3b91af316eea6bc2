"""`plan`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from studies.cli.console import busy, out, say
from studies.cli.doing.foreseeing import expected_looks, foreseen, planned_looks
from studies.cli.doing.foreseeing_search import searching, to_evaluate
from studies.cli.doing.planned import plan_of
from studies.cli.doing.tuning import named
from studies.cli.grid import Grid
from studies.cli.options import Asked, Growing, default_workers
from studies.cli.tuning import Tuning
from studies.data import load
from studies.design.balance import design_lines
from studies.design.levels import BASELINE
from studies.design.plan import Cell, Plan
from studies.design.settings import slug
from studies.design.tuned import tuned_pairs
from studies.findings.words import duration, plural
from studies.running.effort import BRIEF, FULL, Effort
from studies.running.estimate import SPEED_WITHIN, TRIAL_TOOK, estimated_seconds, expected_seconds, taken_seconds
from vit.outline import outline

HERE, PUBLISHED, ESTIMATED, MEASURED = "run here", "published", "estimated", "measured"
EXPLAINED = {
    HERE: "median of the trials of this study in its results folder",
    PUBLISHED: "median of published trials of the same arm, on another machine perhaps",
    ESTIMATED: (
        f"from the model's shape, on one thread of the processor that it was fitted on: its speeds within a factor "
        f"of {SPEED_WITHIN}, its trials {TRIAL_TOOK[0]} to {TRIAL_TOOK[1]} times as long; --measure times it here"
    ),
    MEASURED: "a few steps timed here, one arm at a time",
}


@dataclass(frozen=True)
class Expected:
    """Seconds of one trial, and where they come from."""

    seconds: float
    source: str


def print_plan(asked: Asked, measure: bool, growing: Growing, tuning: Tuning, as_json: bool = False) -> None:
    """Print every arm with its seconds a trial, the design, how long all would take, and what it could detect."""
    declared = plan_of(asked)
    named(declared, tuning)  # refuses what cannot be searched
    made = to_evaluate(declared, tuning.trials)
    expected = measured(declared) if measure or made.device != "cpu" else foretold(made, asked.results)
    each = [expected[cell.content_hash].seconds for cell in made.runnable]
    count = asked.workers or default_workers(made.device)
    first = searching(declared, tuning.trials, {name: found.seconds for name, found in expected.items()}, count)
    each += [first.per_trial] * first.unknown if first else []
    effort = (BRIEF if asked.quick else FULL).on(made.device).seconds(len(each))
    seconds = effort + len(made.seeds) * sum(each) / count
    power = foreseen(made, asked.results, first.unknown if first else 0)
    before = first.seconds if first else 0.0
    trials = len(each) * len(made.seeds) if first else len(made.trials)  # of equal arms, one is trained
    if as_json:
        content = plan_facts(made, expected) | {"trials": trials, "workers": count, "seconds": before + seconds}
        print(json.dumps(content | power.facts() | (first.facts() if first else {}), indent=1, default=list))
        return
    headers = ("arm", "tokens", "parameters", "seconds a trial", "from")
    out.print(Grid(headers, list(_rows(made, expected)), made.question, right=(1, 2, 3)))
    for line in (f"baseline: {told_baseline(made)}", *design_lines(made), *(first.lines if first else ())):
        say(line)
    if growing.until_decided:
        looks, wall = planned_looks(growing.most), fmean(each) / count
        for line in expected_looks(made, asked.results, looks, wall, effort, len(each)):
            say(line)
        return
    most = "at most " if first else ""
    say(
        f"{most}{plural(len(each), 'arm')} × {plural(len(made.seeds), 'seed')} = "
        f"{plural(trials, 'trial')}, about {duration(seconds)} with "
        f"{plural(count, 'worker')}, measuring included" + (f"; {duration(before + seconds)} in all" if first else "")
    )
    for line in power.lines():
        say(line)
    for source in dict.fromkeys(found.source for found in expected.values()):
        say(f"{source}: {EXPLAINED[source]}")


def plan_facts(plan: Plan, expected: Mapping[str, Expected]) -> dict[str, Any]:
    """What `plan --json` says of a study: plain data, seconds of one trial of every arm."""
    arms, found_by_tuning = [], {*tuned_pairs(plan).values()}
    for cell in plan.cells:
        arm: dict[str, Any] = {"arm": cell.name, "levels": dict(cell.levels), "cannot_be": cell.reason}
        if cell.setup is not None:
            found = expected[cell.content_hash]
            known = None if cell.name in found_by_tuning else cell.content_hash
            arm |= {"hash": known, "tokens": cell.config.num_tokens}
            arm |= {"seconds": found.seconds, "seconds_from": found.source}
        arms.append(arm)
    names = ("study", "question", "dataset", "device", "folder", "factors", "baseline", "design", "seeds")
    facts = {name: getattr(plan, name) for name in names}
    return facts | {"design_says": design_lines(plan), "arms": arms}


def measured(plan: Plan) -> dict[str, Expected]:
    """By cell hash, from a few steps of every arm, timed now."""
    from studies.running.measure import measure_cells  # a second by itself, for its meters

    effort = Effort(rounds=3, round_seconds=0.02)
    with busy("timing a few steps of every arm"):
        found = measure_cells(plan.runnable, plan.device, effort)
    num_images = len(load(plan.dataset).train)
    return {cell.content_hash: Expected(expected_seconds(cell, found, num_images), MEASURED) for cell in plan.runnable}


def foretold(plan: Plan, results: Path) -> dict[str, Expected]:
    """By cell hash, without running anything: from trials that were run, else from the shape of the model."""
    own = results / plan.folder / "runs.csv"
    here = taken_seconds([own] if own.exists() else [], plan.device)
    published = taken_seconds(sorted({*results.glob("published/*/runs.csv")} - {own}), plan.device)
    num_images = len(load(plan.dataset).train)
    return {cell.content_hash: _expected(cell, here, published, num_images) for cell in plan.runnable}


def _expected(cell: Cell, here: Mapping[str, float], published: Mapping[str, float], num_images: int) -> Expected:
    name = cell.content_hash
    for known, source in ((here, HERE), (published, PUBLISHED)):
        if name in known:
            return Expected(known[name], source)
    return Expected(estimated_seconds(cell, num_images), ESTIMATED)


def _rows(plan: Plan, expected: Mapping[str, Expected]) -> Iterator[tuple[str, ...]]:
    for cell in plan.cells:
        if cell.setup is None:
            yield cell.name, "", "", f"cannot be: {cell.reason}", ""
            continue
        found = expected[cell.content_hash]
        params = outline(cell.config, "cpu").num_params()
        yield cell.name, str(cell.config.num_tokens), f"{params:,}", f"{found.seconds:.1f}", found.source


def told_baseline(plan: Plan) -> str:
    """By its name, or by its levels where that says nothing."""
    cell = plan.baseline_cell
    return cell.name if cell.name != BASELINE else ", ".join(f"{name}={slug(at)}" for name, at in cell.levels.items())
