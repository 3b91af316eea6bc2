"""`status`, once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from studies.cli.console import USAGE, err, out, say
from studies.cli.doing.folders import folder_of
from studies.cli.grid import Grid
from studies.ledger.entries import STATES, LedgerError
from studies.ledger.folder import ResultsFolder, folders
from studies.ledger.tally import Tally, TallyError, studies_on, tally_of_table
from studies.ledger.watched import Searched, Seen, look

SHOWN = ("complete", "running", "waiting", "failed")
TABLES_ONLY = "tables only, its storage is elsewhere"


@dataclass(frozen=True)
class Row:
    """What is known of one folder: its counts, or why there are none; ``seen`` where it has a storage."""

    folder: ResultsFolder
    counted: Tally | None
    notes: list[str]
    seen: Seen | None = None


def show_status(study: str | None, results: Path, as_json: bool = False, storage: str | None = None) -> None:
    """Print how many trials of each study are in which state; one that cannot be read says why in its row."""
    rows = [row_of(folder) for folder in chosen(study, results, storage)]
    if as_json:
        say(json.dumps([plain(row) for row in rows], ensure_ascii=False, indent=1))
    else:
        out.print(counts(rows))


def chosen(study: str | None, results: Path, storage: str | None) -> list[ResultsFolder]:
    """The folders that are meant; without any, the program ends and says so."""
    if study:
        return [folder_of(results, study, storage)]
    if storage:
        found = [ResultsFolder(results / name, storage) for name in studies_on(storage)]
    else:
        found = [folder for folder in folders(results) if folder.holds_something]
    if not found:
        err.print(
            f"no study in {'the storage' if storage else results}: start one with `vit-ablate run`", soft_wrap=True
        )
        raise typer.Exit(USAGE)
    return found


def row_of(folder: ResultsFolder) -> Row:
    """From the storage, else from the table of runs; nothing is written."""
    try:
        if folder.holds_study:
            seen = look(folder)
            return Row(folder, seen.tally, [*seen.tally.reasons, *_searches(seen.searches)], seen)
        counted = tally_of_table(folder.table("runs"))
        return Row(folder, counted, [*counted.reasons, TABLES_ONLY])
    except (TallyError, LedgerError) as error:
        return Row(folder, None, [str(error)])


def counts(rows: list[Row]) -> Grid:
    """One row a study."""
    assert set(SHOWN) == set(STATES.values())
    return Grid(("study", *SHOWN, "reasons"), [_cells(row) for row in rows], right=(1, 2, 3, 4))


def plain(row: Row) -> dict[str, Any]:
    """For JSON."""
    numbers = {state: row.counted.counts[state] if row.counted else None for state in SHOWN}
    found: dict[str, Any] = {"study": row.folder.name, "folder": str(row.folder.path), **numbers, "notes": row.notes}
    if row.seen and row.seen.searches:
        found["searches"] = [
            {"arm": one.arm, "budget": one.budget, "over": len(one.over), **_states(one)} for one in row.seen.searches
        ]
    return found


def _cells(row: Row) -> list[str]:
    numbers = [str(row.counted.counts[state]) if row.counted else "" for state in SHOWN]
    return [row.folder.name, *numbers, "; ".join(row.notes)]


def _searches(searches: list[Searched]) -> list[str]:
    """How far tuning is, over all arms."""
    if not searches:
        return []
    over, budgets = sum(len(one.over) for one in searches), [one.budget for one in searches]
    of = f" of {sum(filter(None, budgets))}" if None not in budgets else ""
    total = {state: sum(_states(one)[state] for one in searches) for state in ("pruned", "failed")}
    more = [f"{number} {state}" for state, number in total.items() if number]
    return [f"{over}{of} tuning trials over" + (f" ({', '.join(more)})" if more else "")]


def _states(search: Searched) -> dict[str, int]:
    found = [one.state for one in search.trials if not one.interrupted]
    return {state: found.count(state) for state in ("complete", "pruned", "failed", "running")}
