"""What the ledger knows of one trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

INTERRUPTED = "interrupted"
KILLED, LOST, PREEMPTED = "killed", "lost", "preempted"
FAILURES = (KILLED, LOST, PREEMPTED, "out_of_memory", "timeout", "nan", "error")
"""What ends an attempt that is not complete: its worker died; nothing was heard of its driver, or of the machine of its
worker, any more; it was told to stop. The others are the trial's own, and are not run again unless asked."""
TOLD_BY = {
    INTERRUPTED: PREEMPTED,
    "worker was killed": KILLED,
    "worker was lost": LOST,
    "out of memory": "out_of_memory",
    "timed out": "timeout",
    "DivergedError": "nan",
    "FloatingPointError": "nan",
}
"""How a reason begins -> the failure that it tells of."""
STATES = {"WAITING": "waiting", "RUNNING": "running", "COMPLETE": "complete", "FAIL": "failed"}
"""What the storage calls a state -> what we do."""


class LedgerError(RuntimeError):
    """The storage cannot be opened, written or locked; the message says what to do."""


@dataclass(frozen=True)
class Entry:
    """The newest attempt at one trial."""

    trial_id: int
    content_hash: str
    cell_hash: str
    seed: int
    state: str
    attempt: int
    record: dict[str, Any]
    reason: str | None
    failure: str | None = None
    charged: int = 0
    """How many attempts before this one died by what may be the trial's own fault."""


def entry_of(trial_id: int, state: str, attrs: Mapping[str, Any]) -> Entry:
    """From a row of the storage, its state in the storage's word, and its attributes."""
    return Entry(
        trial_id,
        attrs["hash"],
        attrs["cell_hash"],
        attrs["seed"],
        STATES[state],
        attrs["attempt"],
        attrs.get("record", {}),
        attrs.get("reason"),
        attrs.get("failure") or failure_of(attrs.get("reason")),
        attrs.get("charged", 0),
    )


def failure_of(reason: str | None) -> str | None:
    """Which of ``FAILURES`` a reason tells of."""
    if reason is None:
        return None
    return next((kind for begin, kind in TOLD_BY.items() if reason.startswith(begin)), "error")


def newest(attempts: Iterable[Entry]) -> dict[str, Entry]:
    """The last attempt at every trial by content hash, in the order in which trials were first enqueued."""
    found: dict[str, Entry] = {}
    for entry in attempts:
        if entry.content_hash not in found or found[entry.content_hash].attempt <= entry.attempt:
            found[entry.content_hash] = entry
    return found
