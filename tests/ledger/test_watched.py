"""What a watcher sees of a study that runs, is tuned, failed or fell silent, on every storage; nothing is written."""

import stat
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

import tiny
from studies.design.space import Choice
from studies.ledger.folder import ResultsFolder
from studies.ledger.pace import pace
from studies.ledger.samplers import NEVER, RANDOM, Method
from studies.ledger.search import Search
from studies.ledger.states import unfinished
from studies.ledger.transactions import TRIALS
from studies.ledger.watched import Seen, look

NOON = datetime(2030, 1, 1, 12)
SIGN = {"epoch": 1, "epochs": 4, "step": 40, "steps": 100, "left": 90.0, "pid": 12, "device": "cuda:1", "at": 0.0}


@pytest.fixture
def ledger(place):
    made = place.ledger(create=True)
    made.plan = tiny.plan({"pooling": ("cls", "mean")}, seeds=3)
    made.enqueue_all(made.plan.trials)
    return made


@pytest.fixture
def folder(place):
    server = None if place.url.get_backend_name() == "sqlite" else place.url.render_as_string(hide_password=False)
    return ResultsFolder(place.home, server)


def dated(ledger, trial_id, began, ended=None):
    """Seconds before noon."""
    times = {"datetime_start": NOON - timedelta(seconds=began)}
    times |= {"datetime_complete": NOON - timedelta(seconds=ended)} if ended is not None else {}
    with ledger._engine.begin() as connection:
        connection.execute(update(TRIALS).where(TRIALS.c.trial_id == trial_id).values(**times))


def at_noon(folder) -> Seen:
    seen = look(folder)
    held = {i: type(one)(one.owner, NOON, one.sign) for i, one in seen.held.items()}
    return Seen(NOON, seen.attempts, held, seen.searches)


def ended(ledger, entry, began, end, reason=None):
    assert ledger.claim(entry)
    ledger.fail(entry, reason, {}) if reason else ledger.complete(entry, {"val_accuracy": 0.5})
    dated(ledger, entry.trial_id, began, end)


def test_partly_done_trials_count_for_the_time_that_is_left(ledger, folder):
    cls0, mean0, cls1, mean1, _cls2, _mean2 = unfinished(ledger)
    ended(ledger, cls0, 1000, 900)
    ended(ledger, mean0, 900, 600, "DivergedError: nan")
    for entry in (cls1, mean1):
        ledger.claim(entry)
        dated(ledger, entry.trial_id, 30)
    ledger.signs = lambda: {mean1.content_hash: SIGN}
    ledger.beat()
    ledger.beat()
    found = pace(at_noon(folder))
    cls, mean = sorted(found.working, key=lambda one: one.arm)
    assert (cls.arm, cls.what, cls.since, cls.left, cls.sign) == ("cls", "seed 1", 30, 70, {})
    assert (mean.arm, mean.left, mean.sign, mean.silence) == ("mean", 90, SIGN, 0)
    assert mean.host == ledger.owner.partition("@")[2]
    assert found.seconds_left == (70 + 90 + 100 + 100) / 2  # an arm that never ended takes what others took
    assert found.per_hour == 2 * 3600 / 1000
    assert (found.failures, found.again) == ({"nan": 1}, {})


def test_before_any_trial_ended_those_that_run_tell_how_long_one_takes(ledger, folder):
    first, *_ = unfinished(ledger)
    ledger.claim(first)
    dated(ledger, first.trial_id, 60)
    assert pace(at_noon(folder)).seconds_left is None
    ledger.signs = lambda: {first.content_hash: SIGN}
    ledger.beat()
    found = pace(at_noon(folder))
    assert found.seconds_left == 90 + 5 * 150
    assert found.per_hour is None


def test_the_longest_trial_bounds_the_time_that_is_left(ledger, folder):
    *others, last, longest = unfinished(ledger)
    for entry in others:
        ended(ledger, entry, 50, 40)
    for entry in (last, longest):
        ledger.claim(entry)
        dated(ledger, entry.trial_id, 5)
    ledger.signs = lambda: {longest.content_hash: SIGN}
    ledger.beat()
    assert pace(at_noon(folder)).seconds_left == 90


def test_what_ran_again_is_no_failure_and_an_end_of_long_ago_no_speed(ledger, folder):
    first, *others = unfinished(ledger)
    ledger.claim(first)
    again = ledger.interrupt(first, "killed", charged=True)
    for entry in (again, *others):
        ended(ledger, entry, 9000, 8000)
    seen = at_noon(folder)
    assert (pace(seen).again, pace(seen).failures, pace(seen).per_hour) == ({"killed": 1}, {}, None)
    assert seen.over
    assert seen.tally.counts == {"complete": 6}


def test_trials_of_searches_are_counted_and_those_that_are_heard_of_run(ledger, folder):
    search = Search(
        ledger, "tuning/cls", {"val_accuracy": "maximize"}, {"depth": Choice((1, 2, 3))}, Method(RANDOM, NEVER),
        {"arm": "cls", "trials": 5},
    )  # fmt: skip
    done, runs, waits = search.ask([0, 1, 2])
    search.complete(done, [0.5], {})
    search.sign(runs, {**SIGN, "host": "here", "at": NOON.timestamp()})
    for entry in unfinished(ledger):
        ended(ledger, entry, 100, 50)
    seen = at_noon(folder)
    (found,) = seen.searches
    assert (found.arm, found.budget, len(found.over), found.left) == ("cls", 5, 1, 4)
    assert [trial.state for trial in found.trials] == ["complete", "running", "running"]
    (working,) = pace(seen).working
    assert (working.arm, working.what, working.host, working.left) == ("cls", "tuning 2 of 5", "here", 90)
    assert not seen.over
    for trial in (runs, waits):
        search.fail(trial, "interrupted", {})
    assert look(folder).searches[0].left == 4


def test_a_look_makes_no_table_and_needs_no_right_to_write(ledger, folder, place):
    if folder.server:
        options = f"{place.url.query['options']} -cdefault_transaction_read_only=on"
        url = place.url.set(query={**place.url.query, "options": options})
        assert len(look(ResultsFolder(place.home, url.render_as_string(hide_password=False))).attempts) == 6
        return
    before = folder.storage.read_bytes(), sorted(place.home.iterdir())
    modes = {path: path.stat().st_mode for path in (folder.storage, place.home)}
    for path in modes:
        path.chmod(stat.S_IREAD | (stat.S_IEXEC if path.is_dir() else 0))
    try:
        assert len(look(folder).attempts) == 6
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert (folder.storage.read_bytes(), sorted(place.home.iterdir())) == before


def test_a_beat_that_knows_no_signs_leaves_the_last_one(ledger, folder):
    first, *_ = unfinished(ledger)
    ledger.claim(first)
    ledger.signs = lambda: {first.content_hash: SIGN, "another": SIGN}
    ledger.beat()
    ledger.signs = dict
    ledger.beat()
    assert look(folder).held[first.trial_id].sign == SIGN
