"""Two results of one study as one: which trials are taken over, or what keeps them apart.

A trial is the same in both if its hash is. One that is complete in both is counted once if the two are equal bit for
bit, and refused otherwise: nobody may choose the better of two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from studies.design.differences import differences
from studies.design.plan import Plan, Trial
from studies.findings.findings import ARITHMETIC, FROM
from studies.findings.parts import Part
from studies.findings.words import plural
from studies.ledger.entries import Entry
from studies.ledger.portable import Adopted

BITS = ("val_accuracy", "test_accuracy", "val_loss", "test_loss", "train_loss", "test_correct")
"""What training decides."""
TOLD = ("commit", "torch", "python", "vit_ablate", "device", "threads")
"""Of a record, what is said where the two differ."""


class MergeError(ValueError):
    """Two results cannot be joined; the message says what differs."""


@dataclass(frozen=True)
class Joint:
    """What two results are together.

    Args:
        plan: with the seeds of both.
        ours: finished trials of A.
        theirs: those of B that A lacks.
        equal: how many are complete in both, bit for bit.
        differing: facts about how they were made that differ, in words.
        notes: of the study as a whole.
        measured: speeds, A's where both have them.
    """

    plan: Plan
    ours: list[Adopted]
    theirs: list[Adopted]
    equal: int
    differing: list[str]
    notes: dict[str, Any]
    measured: dict[str, Any]


def joined(a: Part, b: Part, allow_mixed: bool = False) -> Joint:
    """Join B to A.

    Args:
        a: stands where the two know something of one trial, which then is complete in both and equal, or failed.
        b: other seeds of it, or other trials.
        allow_mixed: though arms were computed in different arithmetic.

    Raises:
        MergeError: another design, recipe or data; a trial that runs, or has two results; mixed arithmetic.
    """
    if found := list(differences(a.plan, b.plan)):
        raise MergeError(f"A ({a.name}) and B ({b.name}) are no results of one study: {'; '.join(found)}")
    for part in (a, b):
        if running := [entry for entry in part.trials.values() if entry.state == "running"]:
            raise MergeError(f"{part.name} has {plural(len(running), 'trial')} running: merge when they are over")
    if not allow_mixed and (mixed := list(_mixed(a, b))):
        raise MergeError(f"{'; '.join(mixed)}: join them by --allow-mixed, which the tables will say")
    seeds = sorted({entry.seed for part in (a, b) for entry in part.trials.values()} | {*a.plan.seeds})
    plan = dataclasses.replace(a.plan, seeds=seeds)
    trials = {trial.content_hash: trial for trial in plan.trials}
    both = [name for name, entry in b.trials.items() if name in a.trials and _complete(entry, a.trials[name])]
    if unequal := [name for name in both if _bits(a.trials[name]) != _bits(b.trials[name])]:
        raise MergeError(_two_results(trials[unequal[0]], a.trials[unequal[0]], b.trials[unequal[0]], len(unequal)))
    return Joint(
        plan,
        list(_adopted(a, trials)),
        [one for one in _adopted(b, trials, b.name) if _adds(one, a.trials.get(one.trial.content_hash))],
        len(both),
        list(_differing(a, b)),
        _notes(a, b),
        {**b.measured, **a.measured},
    )


def _adopted(part: Part, trials: Mapping[str, Trial], source: str | None = None) -> Iterator[Adopted]:
    """What is over of it."""
    for name, entry in part.trials.items():
        if name in trials and entry.state in ("complete", "failed"):
            record = entry.record if source is None else {**entry.record, FROM: entry.record.get(FROM, source)}
            trace = part.traces.get((name, entry.attempt))
            yield Adopted(trials[name], record, entry.reason, entry.failure, trace)


def _adds(one: Adopted, known: Entry | None) -> bool:
    """A result stands in the place of a failure, a failure only where nothing is over."""
    return known is None or known.state == "waiting" or (known.state == "failed" and one.reason is None)


def _complete(*entries: Entry) -> bool:
    return all(entry.state == "complete" for entry in entries)


def _bits(entry: Entry) -> dict[str, Any]:
    return {name: entry.record[name] for name in BITS if name in entry.record}


def _two_results(trial: Trial, a: Entry, b: Entry, count: int) -> str:
    more = f" (and {count - 1} more)" if count > 1 else ""
    shown = " and ".join(f"{entry.record.get('test_accuracy', float('nan')):.2%}" for entry in (a, b))
    return (
        f"{trial.label}{more} has two results, {shown} on the test set: nobody may choose between them. Run other "
        "seeds of it, `vit-ablate run --first-seed N`, or leave one of the two out"
    )


def _mixed(a: Part, b: Part) -> Iterator[str]:
    """Arms that were computed otherwise in B than in A."""
    kinds = [_kinds(part) for part in (a, b)]
    for cell in a.plan.runnable:
        here, there = (found.get(cell.content_hash) for found in kinds)
        if here and there and here != there:
            said = [" or ".join(sorted(map(", ".join, found))) for found in (here, there)]
            yield f"{cell.name} was computed in {said[0]} in A, {said[1]} in B"
            return  # one is enough


def _kinds(part: Part) -> dict[str, set[tuple[str, ...]]]:
    found: dict[str, set[tuple[str, ...]]] = {}
    for entry in part.trials.values():
        if entry.state == "complete" and all(name in entry.record for name in ARITHMETIC):
            kind = tuple(f"{name} {entry.record[name]}" for name in ARITHMETIC)
            found.setdefault(entry.cell_hash, set()).add(kind)
    return found


def _differing(a: Part, b: Part) -> Iterator[str]:
    for name in TOLD:
        told = [sorted({str(e.record[name]) for e in p.trials.values() if e.record.get(name)}) for p in (a, b)]
        if all(told) and told[0] != told[1]:
            yield f"{name}: {', '.join(told[0])} in A, {', '.join(told[1])} in B"


def _notes(a: Part, b: Part) -> dict[str, Any]:
    """Of both: the runs, the arithmetic and packs of what A lacks; the looks are those of whoever spent more."""
    notes = {**b.notes, **a.notes}
    if runs := [*(run for run in b.runs if run not in a.runs), *a.runs]:
        notes["runs"] = runs
    notes["arithmetic"] = {**b.notes.get("arithmetic", {}), **a.notes.get("arithmetic", {})}
    looked = [part.notes.get("looks") or [{"spent": 0.0}] for part in (a, b)]
    if looked[1][-1]["spent"] > looked[0][-1]["spent"]:
        notes["looks"] = looked[1]
    packs = [part.notes.get("packs") for part in (a, b)]
    if packs[0] and packs[1] and packs[0]["asked"] == packs[1]["asked"]:
        known = {name for names in packs[0]["packs"] for name in names}
        others = [names for names in packs[1]["packs"] if not known & {*names}]
        notes["packs"] = {"asked": packs[0]["asked"], "packs": [*packs[0]["packs"], *others]}
    return notes
