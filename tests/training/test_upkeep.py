"""What is done between steps: checkpoints when they are due, a time limit, pauses left out of seconds."""

import itertools
import math
import signal
import subprocess
import sys
import threading

import pytest
import torch

import studies.training.stopwatch
import studies.training.upkeep
from fitting import compute_of
from studies.training.curves import DivergedError
from studies.training.fit import train
from studies.training.packed import Packed
from studies.training.recipe import Recipe
from studies.training.single import Single
from studies.training.stopwatch import Pauses, Stopwatch
from studies.training.upkeep import SHARE, TimedOutError, Upkeep
from vit import ViTConfig

CONFIG = ViTConfig(patch_size=14, embed_dim=8, depth=1, num_heads=2, dropout=0.2)
RECIPE = Recipe(epochs=2, batch_size=100, max_translation=2, learning_rate=1e-2)
KINDS = {
    "single": [RECIPE],
    "pack": [RECIPE, RECIPE.replace(learning_rate=3e-3), RECIPE.replace(replica=1)],
    "pack, one diverges": [RECIPE, RECIPE.replace(learning_rate=1000.0)],
}


class Killed(BaseException):
    """The process ends here."""


class Clock:
    """Of which every look is so many seconds later."""

    def __init__(self, step=1.0):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(studies.training.upkeep.time, "monotonic", clock)
    monkeypatch.setattr(studies.training.stopwatch, "_now", lambda: (0.0, 0.0))
    return clock


@pytest.fixture
def every_step(monkeypatch):
    """Checkpoints cost what they may."""
    monkeypatch.setattr(studies.training.upkeep, "SHARE", math.inf)


def begin(recipes, data):
    compute = compute_of(CONFIG, recipes[0], packed=len(recipes) > 1)
    if len(recipes) == 1:
        return Single(CONFIG, recipes[0], data, 7, compute, "cpu")
    return Packed(CONFIG, recipes, data, [7, 8, 9][: len(recipes)], compute, "cpu")


def killed_after(session, steps, upkeep):
    """The session is trained until so many steps are taken."""
    step = session.step

    def counted(*batch):
        if session.taken == steps:
            raise Killed
        step(*batch)

    session.step = counted
    with pytest.raises(Killed):
        train(session, upkeep=upkeep)


def left(session):
    return [
        str(result)
        if isinstance(result, DivergedError)
        else (
            [{**point.as_dict(), "seconds": 0} for point in result.curve],
            {name: value.tolist() for name, value in result.model.state_dict().items()},
        )
        for result in session.results()
    ]


@pytest.mark.parametrize("steps", [3, 5, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_a_training_that_was_killed_goes_on_and_ends_alike(kind, steps, small_mnist, tmp_path, every_step):
    recipes, path = KINDS[kind], tmp_path / "state"
    whole = begin(recipes, small_mnist)
    train(whole)
    killed_after(begin(recipes, small_mnist), steps, Upkeep(path, {"who": 1}, every=0.0, limit=1e9))
    again, upkeep = begin(recipes, small_mnist), Upkeep(path, {"who": 1}, every=1e9)
    upkeep.begin(again)
    assert (again.taken, upkeep.resumed) == (steps, 1)
    train(again, upkeep=upkeep)
    assert left(again) == left(whole)


def test_no_checkpoint_before_the_first_is_due(small_mnist, tmp_path, clock):
    upkeep = Upkeep(tmp_path / "state", {}, every=1000.0)
    train(begin([RECIPE], small_mnist), upkeep=upkeep)
    assert list(tmp_path.iterdir()) == []
    assert upkeep.told() == {"resumed": 0, "paused_seconds": 0.0, "notes": ""}


@pytest.mark.parametrize(("cost", "gap"), [(0.0, 10.0), (3.0, (3.0 + 0.1) / SHARE)])
def test_checkpoints_come_every_so_often_and_less_often_where_they_are_slow(
    cost, gap, small_mnist, tmp_path, clock, monkeypatch
):
    clock.step, written = 0.1, []

    def save(*_):
        written.append(clock.now)
        clock.now += cost

    def step(*_):
        clock.now += 2
        return torch.zeros(1)

    monkeypatch.setattr(studies.training.upkeep, "save_state", save)
    session = begin([RECIPE.replace(epochs=50)], small_mnist)
    session.update = step
    train(session, upkeep=Upkeep(tmp_path / "state", {}, every=10.0))
    gaps = [after - before - cost for before, after in itertools.pairwise(written)]
    assert len(gaps) >= 2
    assert all(gap <= found < gap + 3 for found in gaps)


@pytest.mark.parametrize("damage", ["truncated", "other"])
def test_a_checkpoint_that_is_damaged_or_another_s_begins_anew_with_a_note(damage, small_mnist, tmp_path):
    path = tmp_path / "state"
    killed_after(begin([RECIPE], small_mnist), 4, Upkeep(path, {"torch": "1"}, every=0.0))
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    session, upkeep = begin([RECIPE], small_mnist), Upkeep(path, {"torch": "1" if damage == "truncated" else "2"})
    upkeep.begin(session)
    assert (session.taken, upkeep.resumed) == (0, 0)
    assert upkeep.told()["notes"].startswith("began anew: its checkpoint is ")
    assert ("damaged" if damage == "truncated" else "made with other torch") in upkeep.told()["notes"]


def test_checkpoints_that_cannot_be_written_are_one_note(small_mnist, tmp_path, every_step):
    (tmp_path / "file").touch()
    upkeep = Upkeep(tmp_path / "file" / "state", {}, every=0.0)
    session = begin([RECIPE], small_mnist)
    train(session, upkeep=upkeep)
    assert "no checkpoint at step 1: " in upkeep.told()["notes"]
    assert len(upkeep.notes) == 1  # once is enough
    assert torch.isfinite(session.total).all()


def test_seconds_of_the_parts_add_up(small_mnist, tmp_path, monkeypatch, every_step):
    monkeypatch.setattr(studies.training.stopwatch.time, "perf_counter", Clock())
    path = tmp_path / "state"
    killed_after(begin([RECIPE], small_mnist), 3, Upkeep(path, {}, every=0.0))
    again = begin([RECIPE], small_mnist)
    upkeep = Upkeep(path, {}, every=1e9)
    train(again, upkeep=upkeep)
    (result,) = again.results()
    # one second until each of three checkpoints, one from the last to the epoch's end, one for the other epoch
    assert [point.seconds for point in result.curve] == [4.0, 5.0]
    assert upkeep.earlier > 0


def test_a_training_that_takes_too_long_ends_with_the_reason(small_mnist, tmp_path, clock):
    path = tmp_path / "state"
    session = begin([RECIPE], small_mnist)
    with pytest.raises(TimedOutError, match=r"^not over after 5 s, at step \d of 10$"):
        train(session, upkeep=Upkeep(path, {}, every=0.0, limit=5.0))
    assert path.exists()  # more time may be given to it


def test_without_a_limit_it_takes_as_long_as_it_takes(small_mnist, clock):
    clock.step = 1e6
    session = begin([RECIPE], small_mnist)
    train(session, upkeep=Upkeep())
    assert session.curves.epoch == 2


def test_a_pause_is_time_without_ticks_and_without_work(monkeypatch):
    now = [0.0, 0.0]
    monkeypatch.setattr(studies.training.stopwatch, "_now", lambda: tuple(now))
    monkeypatch.setattr(studies.training.stopwatch.threading, "Thread", lambda **_: type("", (), {"start": print})())
    pauses = Pauses()
    with pauses:
        now[:] = [1.0, 1.0]
        assert pauses.seconds == 0
        now[:] = [61.0, 61.0]  # one long computation that let nobody else run
        assert pauses.seconds == 0
        now[:] = [181.0, 61.1]
        assert pauses.seconds == pytest.approx(119.5)
        assert pauses.seconds == pytest.approx(119.5)
    now[:] = [999.0, 62.0]
    assert pauses.seconds == pytest.approx(119.5)


def test_a_stopwatch_leaves_pauses_out(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(studies.training.stopwatch.time, "perf_counter", lambda: now[0])
    watch = Stopwatch()
    watch.start()
    now[0], watch.pauses._seconds = 130.0, 120.0
    watch.stop()
    now[0] = 500.0
    watch.start()
    now[0] = 502.0
    watch.stop()
    assert watch.seconds == 12.0


CHILD = """
import sys, time
import studies.training.stopwatch as stopwatch
stopwatch.STOPPED = 0.5
watch = stopwatch.Stopwatch()
with watch.pauses:
    began = time.perf_counter()
    watch.start()
    print("running", flush=True)
    while watch.pauses.seconds == 0:
        sum(range(1000))
    watch.stop()
    print(time.perf_counter() - began, watch.seconds, watch.pauses.seconds)
"""


def test_seconds_of_a_process_that_was_stopped_are_left_out():
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "running\n"
    child.send_signal(signal.SIGSTOP)
    threading.Event().wait(1.2)
    child.send_signal(signal.SIGCONT)
    wall, seconds, paused = map(float, child.communicate(timeout=240)[0].split())
    assert paused > 0.5
    assert wall == pytest.approx(seconds + paused, abs=0.01)
