"""Who does what in a study, how fast it goes and when it will be over: arithmetic on one look at its storage."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from studies.ledger.entries import KILLED, LOST, PREEMPTED
from studies.ledger.watched import Attempt, Held, Searched, Seen

WINDOW_SECONDS = 3600.0
"""Of the past, over which trials are counted for their number an hour."""
AGAIN = (KILLED, LOST, PREEMPTED)
"""Ends of attempts after which a trial runs again by itself."""
NOBODY = Held(None, None, {})


@dataclass(frozen=True)
class Working:
    """A trial that runs.

    Args:
        arm: its name.
        what: ``seed 3``, or which trial of a search.
        since: seconds since it was claimed.
        host: of whoever runs it; None where that is not known.
        silence: seconds since it was heard of.
        left: seconds until it is over; None where nothing tells.
        sign: how far it was when it said so last: ``epoch`` done of ``epochs``, ``step`` of ``steps``, ``pid``,
            ``device``; empty before its first.
    """

    arm: str
    what: str
    since: float
    host: str | None
    silence: float | None
    left: float | None
    sign: dict[str, Any]


@dataclass(frozen=True)
class Pace:
    """How a study goes on.

    Args:
        working: everything that runs, the longest first.
        failures: trials that failed, by kind.
        again: attempts that ended with no fault of the trial, which ran again.
        per_hour: trials that ended, searched ones too; None where none did within the last hour.
        seconds_left: with as many workers as now; None where nothing runs, or nothing tells.
    """

    working: list[Working]
    failures: Counter[str]
    again: Counter[str]
    per_hour: float | None
    seconds_left: float | None


def pace(seen: Seen) -> Pace:
    """Of one look."""
    newest = seen.newest
    usual = _usual(seen.attempts)
    working = [_working(one, seen, usual) for one in newest if one.state == "running"]
    working += [one for search in seen.searches for one in _searching(search, seen)]
    working.sort(key=lambda one: -one.since)
    last = {id(one) for one in newest}
    return Pace(
        working,
        Counter(one.failure or "error" for one in newest if one.state == "failed"),
        Counter(one.failure for one in seen.attempts if id(one) not in last and one.failure in AGAIN),
        _per_hour(seen),
        _left(seen, [one for one in newest if one.state == "waiting"], working, usual),
    )


def _working(one: Attempt, seen: Seen, usual: Mapping[str, float]) -> Working:
    what = "" if one.seed is None else f"seed {one.seed}"
    return _told(one.arm, what, one.began, seen.held.get(one.trial_id, NOBODY), seen.now, usual.get(one.arm))


def _searching(search: Searched, seen: Seen) -> Iterator[Working]:
    """Of those that were asked for, the ones that are heard of: the others wait for a worker."""
    for one in search.trials:
        if one.state == "running" and (held := seen.held.get(one.trial_id, NOBODY)).sign:
            place = f"tuning {one.place + 1}" + (f" of {search.budget}" if search.budget else "")
            began = _utc(held.sign["began"]) if "began" in held.sign else one.began  # asked for in batches, which wait
            yield _told(search.arm, place, began, held, seen.now, None)


def _told(arm: str, what: str, began: datetime | None, held: Held, now: datetime, usual: float | None) -> Working:
    since = _seconds(began, now)
    at = held.sign.get("at")
    heard = held.heard or (_utc(at) if at else None)
    silence = _seconds(heard, now) if heard else None
    left = held.sign.get("left")
    if left is not None:
        left = max(0.0, left - (silence or 0.0))
    elif usual is not None:
        left = max(0.0, usual - since)
    host = held.owner.partition("@")[2] if held.owner else held.sign.get("host")
    return Working(arm, what, since, host, silence, left, held.sign)


def _usual(attempts: list[Attempt]) -> dict[str, float]:
    """Mean seconds of an arm's complete trials."""
    taken: dict[str, list[float]] = defaultdict(list)
    for one in attempts:
        if one.state == "complete" and one.began and one.ended:
            taken[one.arm].append(_seconds(one.began, one.ended))
    return {arm: fmean(seconds) for arm, seconds in taken.items()}


def _per_hour(seen: Seen) -> float | None:
    spans = [(one.began, one.ended) for one in seen.attempts if one.failure not in AGAIN]
    spans += [(one.began, one.ended) for search in seen.searches for one in search.over]
    recent = [(b, e) for b, e in spans if b and e and _seconds(e, seen.now) <= WINDOW_SECONDS]
    if not recent:
        return None
    running = [one.began for one in seen.attempts if one.state == "running" and one.began]
    first = min([*(began for began, _ in recent), *running])
    return len(recent) * 3600 / max(1.0, min(WINDOW_SECONDS, _seconds(first, seen.now)))


def _left(seen: Seen, waiting: list[Attempt], working: list[Working], usual: Mapping[str, float]) -> float | None:
    """Of what runs, what is left of it; of what waits, what its arm took, or else what a trial takes on average."""
    if places := sum(search.left for search in seen.searches):
        hourly = _per_hour(seen)
        return places * 3600 / hourly if hourly else None
    if not working:
        return None
    whole = [*usual.values()] or [one.since + one.left for one in working if one.left is not None]
    if not whole:
        return None
    typical = fmean(whole)
    left = [max(0.0, typical - one.since) if one.left is None else one.left for one in working]
    return max(*left, (sum(left) + sum(usual.get(one.arm, typical) for one in waiting)) / len(working), 0.0)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def _seconds(begin: datetime | None, end: datetime) -> float:
    return max(0.0, (end - begin).total_seconds()) if begin else 0.0
