"""The runner with packs: the same results, and what becomes of a pack that is killed, too large or partly bad."""

import dataclasses
import json
from collections import deque
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import studies.running.measure
import studies.running.pack_timing
import studies.running.packs
import studies.running.runner
import studies.trial.trial
import tiny
from studies.ledger.folder import ResultsFolder
from studies.running.effort import FULL
from studies.running.packs import MOST, Packing, shape_key
from studies.running.processes import ProcessExecutor
from studies.running.progress import Progress
from studies.running.queue import Queued
from studies.running.runner import Runner
from studies.trial.record import Outcome
from studies.trial.setup import Setup
from vit import ViTConfig

RATES = {"learning_rate": (0.01, 0.02, 1000.0)}
EIGHT = tiny.plan({}, seeds=8)
WELL = {"pooling": ("cls", "mean"), "learning_rate": (0.01, 0.02)}


@pytest.fixture(scope="module")
def plan():
    recipe = tiny.RECIPE.replace(batch_size=128, epochs=9)
    return tiny.plan(RATES, base=tiny.MODEL.replace(dropout=0.1), recipe=recipe, seeds=1)


@pytest.fixture(scope="module")
def both(plan, small_mnist, tmp_path_factory):
    """The same plan trained trial by trial, and as one pack, on 512 images."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(studies.trial.trial, "load", lambda name: small_mnist)
        return [train(tmp_path_factory.mktemp(f"pack{n}"), Inline(), plan, n)[0] for n in (1, 3)]


def test_packed_results_are_those_of_trials_by_themselves(plan, both):
    alone, packed = both
    assert list(alone) == list(packed) == [trial.content_hash for trial in plan.trials]
    for name, entry in packed.items():
        assert (entry.state, entry.attempt) == (alone[name].state, 1)
        assert (entry.record["packed"], alone[name].record["packed"]) == (3, 1)
        if entry.state == "complete":
            for metric in ("train_loss", "val_loss", "test_loss"):
                assert entry.record[metric] == pytest.approx(alone[name].record[metric], abs=1e-3)


def test_one_diverging_trial_of_a_pack_is_one_failed_row(plan, both):
    for entries in both:
        by_rate = {(t.cell.levels["learning_rate"], t.seed): entries[t.content_hash] for t in plan.trials}
        assert {key for key, entry in by_rate.items() if entry.state == "failed"} == {(1000.0, 0)}
        assert "DivergedError: training loss is" in by_rate[1000.0, 0].reason


def test_a_killed_worker_queues_all_trials_of_its_pack_again(tmp_path, monkeypatch):
    plan = tiny.plan({}, seeds=4)
    observer, folder = tiny.KillOnce(), ResultsFolder(tmp_path / "study")
    ledger = folder.ledger(create=True)
    ledger.add_measurement({plan.cells[0].content_hash: tiny.measured(0)})  # one process less to start
    monkeypatch.setattr(studies.running.runner, "run_trials", tiny.marked_pack)
    (tmp_path / "marks").mkdir()
    monkeypatch.setenv("TINY_MARKS", str(tmp_path / "marks"))
    Runner(plan, ledger, folder, ProcessExecutor(1), FULL, observer, pack=4).run()
    assert observer.divisions == []
    assert sorted(observer.again) == sorted((trial.content_hash, 2) for trial in plan.trials)
    assert tiny.states(ledger) == {"complete": 4}
    assert {entry.attempt for entry in ledger.entries().values()} == {2}
    assert {entry.record["packed"] for entry in ledger.entries().values()} == {4}


class Died(Exception):
    """What this executor says of a worker."""


class Here:
    """An executor in this process, whose worker dies of a pack that holds a victim, and which has so much room."""

    slots, worker_died = 2, Died
    sight_lost, commits = (), False

    def __init__(self, victim: int | None = None, room: int = 99) -> None:
        self.victim, self.room = victim, room
        self.packs: list[list[int]] = []

    def submit(self, function, *arguments):
        future: Future = Future()
        packed = isinstance(arguments[0], list)
        seeds = [order.seed for order in arguments[0]] if packed else [arguments[1]]
        self.packs.append(seeds)
        reason = "out of memory: too many" if len(seeds) > self.room else None
        outcomes = [Outcome({"val_accuracy": 0.5, "wall_seconds": 1.0}, reason) for _ in seeds]
        if self.victim in seeds:
            future.set_exception(Died("killed"))
        else:
            future.set_result(outcomes if packed else outcomes[0])
        return future

    def kill(self):
        pass


class Inline:
    """An executor that runs it here and now."""

    slots, worker_died = 2, Died
    sight_lost, commits = (), False

    def submit(self, function, *arguments):
        future: Future = Future()
        future.set_result(function(*arguments))
        return future


def train(tmp_path, executor, plan, pack=8):
    folder = ResultsFolder(tmp_path / "study")
    ledger = folder.ledger(create=True)
    runner = Runner(plan, ledger, folder, executor, FULL, pack=pack)
    runner._enqueue()
    runner._train()
    return ledger.entries(), runner


def test_a_pack_out_of_memory_is_split_until_it_fits(tmp_path):
    here = Here(room=3)
    entries, runner = train(tmp_path, here, EIGHT)
    assert [len(pack) for pack in here.packs] == [8, 4, 4, 2, 2, 2, 2]
    assert {entry.state for entry in entries.values()} == {"complete"}
    assert (runner.progress.complete, runner.progress.waiting, runner.progress.eta_seconds) == (8, 0, 0)


def test_no_memory_for_a_trial_alone_is_its_failure(tmp_path):
    entries, _ = train(tmp_path, Here(room=0), tiny.plan({}))
    assert {entry.reason for entry in entries.values()} == {"out of memory: too many"}


def test_a_trial_that_kills_its_workers_fails_alone(tmp_path):
    here = Here(victim=5)
    entries, _ = train(tmp_path, here, EIGHT)
    failed = [entry for entry in entries.values() if entry.state == "failed"]
    assert [entry.seed for entry in failed] == [5]
    assert failed[0].reason.startswith("worker was killed")
    assert [5] in here.packs
    assert sum(entry.state == "complete" for entry in entries.values()) == 7


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_once_lets_a_pack_finish_and_twice_queues_it_whole(tmp_path, presses):
    here = Here(victim=0 if presses == 2 else None)

    class Interrupted(Here):
        slots = 1

        def submit(self, *task):
            for _ in range(presses):
                runner.stop.press()
            return here.submit(*task)

    folder = ResultsFolder(tmp_path / "study")
    ledger = folder.ledger(create=True)
    runner = Runner(EIGHT, ledger, folder, Interrupted(), FULL, pack=4)
    runner._enqueue()
    runner._train()
    assert here.packs == [[0, 1, 2, 3]]
    found = {entry.seed: (entry.state, entry.attempt) for entry in ledger.entries().values()}
    first = ("complete", 1) if presses == 1 else ("waiting", 2)
    assert found == {seed: first if seed < 4 else ("waiting", 1) for seed in range(8)}
    assert runner.packing.size(EIGHT.cells[0]) == 4  # nothing was learned about its size


def test_members_that_are_finished_train_with_those_that_are_not(tmp_path):
    """The driver died between the writes of two results of one pack: bits are those of the whole pack."""
    folder = ResultsFolder(tmp_path / "study")
    ledger = folder.ledger(create=True)
    Runner(EIGHT, ledger, folder, Inline(), FULL, pack=4)._enqueue()
    first = ledger.entries()[EIGHT.trials[1].content_hash]
    assert ledger.claim(first)
    ledger.complete(first, {"val_accuracy": 0.25, "wall_seconds": 1.0})
    asked = []

    class Seen(Here):
        def submit(self, function, orders, *more):
            asked.append([(order.seed, order.wanted) for order in orders])
            return super().submit(function, [order for order in orders if order.wanted], *more)

    entries, _ = train(tmp_path, Seen(), EIGHT, pack=4)
    assert asked[0] == [(0, True), (1, False), (2, True), (3, True)]
    assert asked[1] == [(seed, True) for seed in (4, 5, 6, 7)]
    assert entries[EIGHT.trials[1].content_hash].record["val_accuracy"] == 0.25
    assert {entry.state for entry in entries.values()} == {"complete"}


def test_one_trial_alone_is_no_pack(tmp_path):
    here = Here()
    train(tmp_path, here, tiny.plan({}, seeds=3), pack=2)
    assert here.packs == [[0, 1], [2]]


def known(plan, **states):
    """Every trial of a plan as the ledger knows it; states by the trial's place, otherwise it waits."""
    entry = lambda i: SimpleNamespace(state=states.get(f"t{i}", "waiting"))  # noqa: E731
    return [Queued(trial, entry(i)) for i, trial in enumerate(plan.trials)]


class Notes(dict):
    """As much of a ledger as packs need."""

    def note(self, key, content):
        self[key] = json.loads(json.dumps(content))

    def notes(self, key):
        return self.get(key)


def arranged(plan, size, notes, **states):
    packing = Packing(plan.device, size)
    packing.arrange(notes, known(plan, **states))
    return {trial.content_hash: [t.content_hash for t in packing.of(trial)] for trial in plan.trials}


SIX = tiny.plan(WELL, seeds=3)
STATES = st.dictionaries(st.integers(0, 11).map("t{}".format), st.sampled_from(["complete", "failed", "running"]))


@given(STATES, st.integers(1, 5), st.integers(0, 12))
def test_packs_stay_the_same_whatever_was_interrupted(states, size, enqueued):
    whole = arranged(SIX, size, Notes())
    notes = Notes()
    assert arranged(SIX, size, notes) == whole
    assert arranged(SIX, size, notes, **states) == whole
    assert arranged(SIX, None, notes, **states) == whole  # without a word they stay, too


@given(st.integers(2, 5))
def test_every_trial_is_in_one_pack_of_its_shape_in_order(size):
    packs = arranged(SIX, size, Notes())
    trials = {trial.content_hash: trial for trial in SIX.trials}
    for name, members in packs.items():
        pack = [trials[member] for member in members]
        assert name in members
        assert len(pack) <= size
        assert all(packs[member] == members for member in members)
        assert len({shape_key(trial.cell) for trial in pack}) == 1
        names = [trial.cell.name for trial in pack]
        assert names == sorted(names)
    assert len({tuple(members) for members in packs.values()}) == 2 * -(-6 // size)


def test_more_seeds_leave_the_packs_of_the_first_alone():
    notes, few, many = Notes(), tiny.plan({}, seeds=3), tiny.plan({}, seeds=6)
    first = arranged(few, 4, notes)
    grown = arranged(many, 4, notes, t0="complete", t1="complete", t2="complete")
    assert {name: grown[name] for name in first} == first
    assert sorted(len(members) for members in grown.values()) == [3] * 6


def test_another_size_packs_anew_what_waits():
    notes, plan = Notes(), tiny.plan({}, seeds=6)
    arranged(plan, 3, notes)
    again = arranged(plan, 2, notes, t0="complete")
    assert [len(members) for members in again.values()] == [1, 2, 2, 2, 2, 1]
    assert arranged(plan, None, notes, t0="complete") == again
    assert set(map(len, arranged(plan, 1, notes, t0="complete").values())) == {1}
    assert set(map(len, arranged(plan, None, notes, t0="complete").values())) == {1}


def test_halves_stay_halves():
    notes, plan = Notes(), tiny.plan({}, seeds=5)
    packing = Packing("cpu", 5)
    packing.arrange(notes, known(plan))
    assert packing.halve(notes, plan.trials[1]) == 3
    assert [len(m) for m in arranged(plan, 5, notes).values()] == [3, 3, 3, 2, 2]
    assert packing.halve(notes, plan.trials[4]) == 1
    assert [len(m) for m in arranged(plan, 5, notes).values()] == [3, 3, 3, 1, 1]


def test_of_a_pack_those_that_wait_are_taken():
    notes, plan = Notes(), tiny.plan({}, seeds=5)
    packing = Packing("cpu", 3)
    packing.arrange(notes, known(plan))
    waiting = [queued for i, queued in enumerate(known(plan)) if i != 1]
    queue = packing.ordered(deque(waiting[::-1][2:] + waiting[::-1][:2]))
    assert [queued.trial.seed for queued in packing.take(queue)] == [0, 2]
    assert [queued.trial.seed for queued in queue] == [4, 3]


def test_nothing_is_noted_of_a_study_without_packs():
    notes = Notes()
    arranged(tiny.plan({}, seeds=5), None, notes)
    arranged(tiny.plan({}, seeds=5), 1, notes)
    assert notes == {}


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"learning_rate": 1.0}, True),
        ({"weight_decay": 0.5, "replica": 3}, True),
        ({"epochs": 3}, False),
        ({"label_smoothing": 0.1}, False),
    ],
)
def test_trials_go_together_whatever_their_rate_decay_and_replica(changes, same):
    (cell,) = tiny.plan({}).cells
    other = dataclasses.replace(
        cell, setup=Setup(cell.config, cell.recipe.replace(**changes), cell.dataset), name="other"
    )
    assert (shape_key(cell) == shape_key(other)) is same
    deeper = Setup(cell.config.replace(depth=2), cell.recipe, cell.dataset)
    assert shape_key(cell) != shape_key(dataclasses.replace(cell, setup=deeper))


def test_without_a_word_nothing_is_packed_on_a_cpu_and_compiled_models_nowhere(tmp_path):
    here = Here()
    train(tmp_path, here, tiny.plan({}, seeds=3), pack=None)
    assert here.packs == [[0], [1], [2]]
    compiled = tiny.plan({}, recipe=tiny.RECIPE.replace(compile=True))
    assert Packing("cuda", 8).size(compiled.cells[0]) == 1


def test_on_a_gpu_small_models_go_together_and_large_ones_do_not():
    def size(device="cuda", asked=None, **model):
        (cell,) = tiny.plan({}, base=ViTConfig(patch_size=7, **model), recipe=tiny.RECIPE.replace(batch_size=128)).cells
        return Packing(device, asked).size(cell)

    assert size(embed_dim=16, depth=2, num_heads=1) == MOST
    assert 1 < size(embed_dim=64, depth=4, num_heads=4) < MOST
    assert size(embed_dim=384, depth=12, num_heads=6) == 1
    assert size(embed_dim=384, depth=12, num_heads=6, asked=3) == 3
    assert size("mps", embed_dim=16, depth=2, num_heads=1) == 1


ZEN, AMX = ("avx2", "avx512f", "avx512_bf16"), ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
TILES = {"patch_size": 7, "embed_dim": 64, "depth": 2, "num_heads": 4}
NARROW = {"chunking": "horizontal", "patch_size": 7, "embed_dim": 32, "depth": 3, "num_heads": 2}


@pytest.mark.parametrize(
    ("processor", "model", "recipe", "seeds", "size"),
    [
        (ZEN, NARROW, {}, 200, 8),
        (ZEN, NARROW, {}, 80, 5),  # packs enough for many workers come first
        (ZEN, NARROW, {}, 63, 1),
        (AMX, NARROW, {}, 200, 1),
        (("avx2",), NARROW, {}, 200, 8),
        (("asimd", "bf16"), NARROW, {}, 200, 1),
        (ZEN, {**NARROW, "embed_dim": 128}, {}, 200, 1),
        (ZEN, TILES, {"dtype": "bfloat16"}, 200, 8),
        (ZEN, TILES, {"dtype": "float32"}, 200, 1),
        (ZEN, NARROW, {"batch_size": 5000}, 200, 1),
        (ZEN, NARROW, {"compile": True}, 200, 1),
        (ZEN, NARROW, {"train_images": 1280}, 200, 1),
    ],
)
def test_on_a_cpu_narrow_models_go_together_where_that_was_measured_to_gain(
    processor, model, recipe, seeds, size, monkeypatch
):
    monkeypatch.setattr(studies.running.packs, "capabilities", lambda: processor)
    recipe = tiny.RECIPE.replace(**{"epochs": 2, "batch_size": 128, **recipe})
    plan = tiny.plan({}, base=ViTConfig(**model), recipe=recipe, seeds=seeds)
    assert max(map(len, arranged(plan, None, Notes()).values())) == size
    assert set(map(len, arranged(plan, 1, Notes()).values())) == {1}


def test_packs_with_the_most_to_do_are_taken_first():
    plan = tiny.plan({"depth": (1, 2)}, seeds=4)
    packing = Packing("cpu", 3)
    packing.arrange(Notes(), known(plan))
    queue, taken = packing.ordered(deque(known(plan))), []
    while queue:
        taken.append([(queued.trial.cell.levels["depth"], queued.trial.seed) for queued in packing.take(queue)])
    whole = [[(depth, seed) for seed in range(3)] for depth in (2, 1)]
    assert taken == [*whole, [(1, 3)], [(2, 3)]]


def test_trials_of_a_pack_share_its_seconds(monkeypatch):
    plan, now = tiny.plan({}, seeds=4), 0.0
    monkeypatch.setattr(studies.running.progress.time, "monotonic", lambda: now)
    progress = Progress(plan, workers=1, work={trial.content_hash: 10.0 for trial in plan.trials})
    for trial in plan.trials:
        progress.begin(trial, together=4)
    now = 20.0
    assert progress.eta_seconds == 4 * (10 - 20 / 4)
    for trial in plan.trials[:3]:
        progress.end(trial, over=True)
    assert (progress.expected, progress.taken) == (30, 15)


def test_what_cannot_be_stacked_trains_alone_and_says_so(monkeypatch):
    def refuse(models):
        raise TypeError("Block has parameters of its own (scale): put them into a module that it calls")

    monkeypatch.setattr(studies.running.packs, "stack", refuse)
    packing = Packing("cpu", 8)
    with pytest.warns(RuntimeWarning, match=r"every trial trains alone: Block has parameters of its own \(scale\)"):
        assert packing.size(EIGHT.runnable[0]) == 1
    assert packing.size(EIGHT.runnable[0]) == 1  # and says it once
    monkeypatch.undo()
    assert Packing("cpu", 8).size(EIGHT.runnable[0]) == 8
