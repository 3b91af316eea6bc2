"""The results of a study as they lie in one place, with a storage or as tables alone: what `merge` joins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studies.design.plan import Plan
from studies.findings.importing import ledger_from
from studies.ledger.entries import Entry
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger

NOTES = ("runs", "provenance", "arithmetic", "packs", "looks", "planned looks")
"""What is kept of a study as a whole, beside its plan and its speeds."""


@dataclass(frozen=True)
class Part:
    """One of the results to be joined.

    Args:
        name: what messages call it.
        plan: as it was run.
        trials: the newest attempt at each, by its hash.
        measured: speeds by the hash of the cell.
        notes: by name, those of ``NOTES`` that there are.
        traces: tracebacks by hash and attempt.
    """

    name: str
    plan: Plan
    trials: Mapping[str, Entry]
    measured: Mapping[str, Any]
    notes: Mapping[str, Any]
    traces: Mapping[tuple[str, int], str]

    @property
    def runs(self) -> list[Mapping[str, Any]]:
        """What made it, run by run."""
        last = self.notes.get("provenance")
        return self.notes.get("runs") or ([{"driver": self.name, **last}] if last else [])


def part_of(folder: ResultsFolder, plan: Plan | None = None) -> Part:
    """From its storage, else from its tables, which have complete trials only; nothing is written.

    Args:
        folder: where it lies.
        plan: of tables of a version that did not keep their declaration.

    Raises:
        LedgerError, ExportError, ForeignResultsError: there is nothing, it cannot be read, or is of another study.
    """
    if folder.holds_study:
        return _of(folder, folder.ledger())
    with ledger_from(folder, None if folder.notes.exists() else plan) as ledger:
        return _of(folder, ledger)


def _of(folder: ResultsFolder, ledger: Ledger) -> Part:
    kept = {name: ledger.notes(name) for name in NOTES}
    notes = {name: content for name, content in kept.items() if content is not None}
    return Part(str(folder.path), ledger.plan, ledger.entries(), ledger.measurement, notes, ledger.traces())
