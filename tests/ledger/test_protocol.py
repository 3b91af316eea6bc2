"""The protocol of leases as a small model, every state of which is visited; and the ledger itself, walked along it.

One trial, two drivers that crash and come back under a new name, writes that arrive late, twice or after their
sender's death, clocks that differ, time that passes between any two steps. See ``studies/ledger/leases.py``.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, update

import tiny
from studies.ledger.entries import Entry
from studies.ledger.ledger import Ledger
from studies.ledger.states import unfinished
from studies.ledger.transactions import BEATS

GRACE = 2  # ticks of silence
MOST_ATTEMPTS = 3
DRIVERS = (0, 1)
NOBODY = -1


@dataclass(frozen=True)
class Attempt:
    state: str = "waiting"
    owner: int = NOBODY
    silence: int = 0


@dataclass(frozen=True)
class State:
    attempts: tuple[Attempt, ...] = (Attempt(),)
    holds: tuple[int | None, ...] = (None, None)  # the attempt that a driver believes to be its own
    sent: frozenset[int] = frozenset()  # results on their way, by attempt

    @property
    def complete(self) -> bool:
        return any(attempt.state == "complete" for attempt in self.attempts)

    def change(self, index: int, **fields: object) -> State:
        attempts = list(self.attempts)
        attempts[index] = replace(attempts[index], **fields)
        return replace(self, attempts=tuple(attempts))

    def hold(self, driver: int, attempt: int | None) -> State:
        return replace(self, holds=tuple(attempt if d == driver else held for d, held in enumerate(self.holds)))

    def again(self, index: int) -> State:
        ended = self.change(index, state="failed")
        return replace(ended, attempts=(*ended.attempts, Attempt()))


@dataclass(frozen=True)
class Rules:
    fenced: bool = True  # a write is for one attempt, and only while it runs
    reaping: bool = True
    skew: int = 0  # of the clock by which the second driver judges; 0: both go by the server's


Step = tuple[str, int]


def steps(state: State, rules: Rules) -> Iterator[tuple[Step, State]]:
    """All that can happen next."""
    last = len(state.attempts) - 1
    newest = state.attempts[last]
    if any(a.state == "running" and a.silence < GRACE for a in state.attempts):
        older = (replace(a, silence=min(GRACE, a.silence + 1)) for a in state.attempts)
        yield ("tick", 0), replace(state, attempts=tuple(older))
    for index in state.sent:  # it stays under way: who got no answer sends again
        running = state.attempts[index].state == "running"
        if running or not rules.fenced:
            yield ("deliver", index), state.change(index, state="complete")
    for driver in DRIVERS:
        held = state.holds[driver]
        if held is None:
            if newest.state == "waiting":
                claimed = state.change(last, state="running", owner=driver, silence=0)
                yield ("claim", driver), claimed.hold(driver, last)
        else:
            if state.attempts[held].state == "running":
                yield ("beat", driver), state.change(held, silence=0)
                if len(state.attempts) < MOST_ATTEMPTS:
                    yield ("worker dies", driver), state.again(held).hold(driver, None)
            yield ("send", driver), replace(state, sent=state.sent | {held}).hold(driver, None)
            crashed = state.change(held, owner=NOBODY) if state.attempts[held].owner == driver else state
            yield ("crash", driver), crashed.hold(driver, None)
        silence = newest.silence + (rules.skew if driver == 1 else 0)
        if (
            rules.reaping
            and newest.state == "running"
            and held != last
            and silence >= GRACE
            and last + 1 < MOST_ATTEMPTS
        ):
            yield ("reap", driver), state.again(last)


def explore(rules: Rules) -> dict[State, list[tuple[Step, State]]]:
    """Every state that can be reached, with what can happen in it."""
    graph: dict[State, list[tuple[Step, State]]] = {}
    waiting = deque([State()])
    while waiting:
        state = waiting.popleft()
        if state in graph:
            continue
        graph[state] = list(steps(state, rules))
        waiting.extend(after for _, after in graph[state])
    return graph


def faults(graph: dict[State, list[tuple[Step, State]]]) -> set[str]:
    """Which promises are broken somewhere."""
    found = set()
    for state, nexts in graph.items():
        states = [attempt.state for attempt in state.attempts]
        if states.count("complete") > 1:
            found.add("two results")
        if any(s in ("waiting", "running") for s in states[:-1]) or "complete" in states[:-1]:
            found.add("an attempt after a result, or two at once")
        for (what, _), after in nexts:
            ended = [(a, b) for a, b in zip(states, (x.state for x in after.attempts), strict=False) if a != b]
            if any(before in ("complete", "failed") for before, _ in ended):
                found.add("an end that was not final")
            newest = state.attempts[-1]
            if what == "reap" and newest.silence < GRACE:
                found.add("a driver declared dead that was heard of")
    good = {state for state in graph if state.complete}
    backwards: dict[State, list[State]] = {}
    for state, nexts in graph.items():
        for _, after in nexts:
            backwards.setdefault(after, []).append(state)
    waiting = deque(good)
    while waiting:
        for before in backwards.get(waiting.popleft(), ()):
            if before not in good:
                good.add(before)
                waiting.append(before)
    if any(state not in good and len(state.attempts) < MOST_ATTEMPTS for state in graph):
        found.add("a trial that can never be finished")
    return found


def test_no_state_breaks_a_promise():
    graph = explore(Rules())
    assert len(graph) > 200
    assert {len(state.attempts) for state in graph} == {1, 2, 3}
    assert faults(graph) == set()


@pytest.mark.parametrize(
    ("rules", "broken"),
    [
        (Rules(fenced=False), "two results"),
        (Rules(fenced=False), "an end that was not final"),
        (Rules(reaping=False), "a trial that can never be finished"),
        (Rules(skew=1), "a driver declared dead that was heard of"),
    ],
)
def test_each_rule_is_needed(rules, broken):
    assert broken in faults(explore(rules))


class Walked:
    """The ledger itself, with handles as drivers, led along a path of the model."""

    def __init__(self, place) -> None:
        self.handles = [place.ledger(create=True) for _ in DRIVERS]
        self.handles[0].enqueue(tiny.plan({}).trials[0])
        self.held: list[Entry | None] = [None, None]
        self.late: dict[int, tuple[Ledger, Entry]] = {}

    def do(self, step: Step) -> None:
        what, which = step
        if what == "tick":
            with self.handles[0]._engine.begin() as connection:
                for trial_id, heard in connection.execute(select(BEATS.c.trial_id, BEATS.c.heartbeat)).all():
                    earlier = heard - timedelta(hours=1)
                    connection.execute(update(BEATS).where(BEATS.c.trial_id == trial_id).values(heartbeat=earlier))
            return
        if what == "deliver":
            handle, entry = self.late[which]
            handle.complete(entry, {"val_accuracy": 0.5})
            return
        handle, entry = self.handles[which], self.held[which]
        if what == "claim":
            (self.held[which],) = unfinished(handle)
            assert handle.claim(self.held[which])
        elif what == "beat":
            handle.beat()
        elif what == "worker dies":
            handle.interrupt(entry, "killed", charged=1)
            self.held[which] = None
        elif what in ("send", "crash"):  # and back again, as another process
            if what == "send":
                self.late[entry.attempt - 1] = handle, entry
            self.held[which], handle.held, handle.owner = None, frozenset(), uuid4().hex
        elif what == "reap":
            assert handle.reap(lambda lease: lease.silence > GRACE * 3600 - 60, retries=9)

    def states(self) -> list[str]:
        return [entry.state for entry in self.handles[0].history()]


def test_the_ledger_does_what_the_model_does(place):
    """Random walks; each must visit what the model says, attempt by attempt."""
    graph, choose = explore(Rules()), random.Random(1)
    seen = set()
    for walk in range(4):
        walked, state = Walked(replace(place, name=f"walk {walk}") if walk else place), State()
        if place.url.get_backend_name() == "sqlite":
            walked = Walked(replace(place, url=place.url.set(database=f"{place.url.database}.{walk}")))
        for _ in range(14):
            if not graph[state]:
                break
            step, after = choose.choice(graph[state])
            walked.do(step)
            assert walked.states() == [attempt.state for attempt in after.attempts], step
            seen.add(step[0])
            state = after
    assert seen >= {"tick", "claim", "beat", "send", "crash", "reap", "deliver"}
