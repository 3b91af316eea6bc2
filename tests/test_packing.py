"""The runner with packs: the same results, and what becomes of a pack that is killed, too large or partly bad."""

import dataclasses
from collections import deque
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import studies.packing
import studies.runner
import tiny
from studies.executors import WORKER_DIED
from studies.ledger import Ledger
from studies.measure import FULL
from studies.packing import MOST, Packing, measure_packs, shape_key
from studies.progress import Observer, Progress
from studies.runner import Runner
from studies.trial import Outcome

RATES = {"learning_rate": (0.01, 0.02, 1000.0)}
EIGHT = tiny.plan({}, seeds=8)
WELL = {"pooling": ("cls", "mean"), "learning_rate": (0.01, 0.02)}


@pytest.fixture(scope="module")
def plan():
    return tiny.plan(RATES, base=tiny.MODEL.replace(dropout=0.1), seeds=1)


@pytest.fixture(scope="module")
def both(plan, tmp_path_factory):
    """The same plan trained trial by trial, and as one pack."""
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
    observer, ledger = tiny.KillOnce(), Ledger(tmp_path / "study", create=True)
    ledger.measurement = {plan.cells[0].content_hash: tiny.measured(0)}  # one process less to start
    monkeypatch.setattr(studies.runner, "run_trials", tiny.marked_pack)
    (tmp_path / "marks").mkdir()
    monkeypatch.setenv("TINY_MARKS", str(tmp_path / "marks"))
    Runner(plan, ledger, 1, FULL, observer, pack=4).run()
    assert observer.divisions == [(4, 2, "was killed")]
    assert tiny.states(ledger) == {"complete": 4}
    assert {entry.attempt for entry in ledger.entries().values()} == {2}
    assert {entry.record["packed"] for entry in ledger.entries().values()} == {2}


class Here:
    """An executor in this process, whose worker dies of a pack that holds a victim, and which has so much room."""

    def __init__(self, victim: int | None = None, room: int = 99) -> None:
        self.victim, self.room = victim, room
        self.packs: list[list[int]] = []

    def submit(self, function, *arguments):
        future: Future = Future()
        seeds = [order.seed for order in arguments[1]] if isinstance(arguments[1], list) else [arguments[3]]
        self.packs.append(seeds)
        reason = "out of memory: too many" if len(seeds) > self.room else None
        outcomes = [Outcome({"val_accuracy": 0.5, "wall_seconds": 1.0}, reason) for _ in seeds]
        if self.victim in seeds:
            future.set_exception(WORKER_DIED("killed"))
        else:
            future.set_result(outcomes if isinstance(arguments[1], list) else outcomes[0])
        return future

    def kill(self):
        pass


class Inline:
    """An executor that runs it here and now."""

    def submit(self, function, *arguments):
        future: Future = Future()
        future.set_result(function(*arguments))
        return future


def train(tmp_path, executor, plan, pack=8):
    ledger = Ledger(tmp_path / "study", create=True)
    runner = Runner(plan, ledger, 2, FULL, pack=pack)
    runner._enqueue()
    runner._train(executor)
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
    ledger = Ledger(tmp_path / "study", create=True)
    runner = Runner(EIGHT, ledger, 1, FULL, pack=4)
    here = Here(victim=0 if presses == 2 else None)

    class Interrupted(Here):
        def submit(self, *task):
            runner.stop.presses = presses
            return here.submit(*task)

    runner._enqueue()
    runner._train(Interrupted())
    assert here.packs == [[0, 1, 2, 3]]
    found = {entry.seed: (entry.state, entry.attempt) for entry in ledger.entries().values()}
    first = ("complete", 1) if presses == 1 else ("waiting", 2)
    assert found == {seed: first if seed < 4 else ("waiting", 1) for seed in range(8)}
    assert runner.packing.size(EIGHT.cells[0]) == 4  # nothing was learned about its size


def test_one_trial_alone_is_no_pack(tmp_path):
    here = Here()
    train(tmp_path, here, tiny.plan({}, seeds=3), pack=2)
    assert here.packs == [[0, 1], [2]]


@given(st.data(), st.integers(1, 5))
def test_a_pack_is_the_first_trial_and_others_of_its_shape(data, size):
    plan = tiny.plan(WELL, seeds=3)
    waiting = data.draw(st.permutations(plan.trials))[: data.draw(st.integers(1, 12))]
    packing = Packing(plan.runnable, size)
    taken, rest = packing.take(deque((trial, trial.seed) for trial in waiting))
    pack = [trial for trial, _ in taken]
    assert 1 <= len(pack) <= size
    assert waiting[0] in pack
    assert {shape_key(trial.cell) for trial in pack} == {shape_key(waiting[0].cell)}
    assert [trial for trial, _ in rest] == [trial for trial in waiting if trial not in pack]
    if len(pack) < size:
        assert shape_key(waiting[0].cell) not in {shape_key(trial.cell) for trial, _ in rest}
    recipes = [trial.cell.name for trial in pack]
    assert recipes == sorted(recipes)


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
    other = dataclasses.replace(cell, recipe=cell.recipe.replace(**changes), name="other")
    assert (shape_key(cell) == shape_key(other)) is same
    assert shape_key(cell) != shape_key(dataclasses.replace(cell, config=cell.config.replace(depth=2)))


def test_without_a_word_nothing_is_packed_on_a_cpu_and_compiled_models_nowhere(tmp_path):
    here = Here()
    train(tmp_path, here, tiny.plan({}, seeds=3), pack=None)
    assert here.packs == [[0], [1], [2]]
    compiled = tiny.plan({}, recipe=tiny.RECIPE.replace(compile=True))
    assert Packing(compiled.runnable, 8).size(compiled.cells[0]) == 1


@pytest.fixture
def on_gpu(tmp_path, monkeypatch):
    """A runner of a plan for CUDA, and what its observer heard; nothing runs there."""
    plan = dataclasses.replace(tiny.plan({"pooling": ("cls", "mean")}, seeds=40), device="cuda")
    ledger, heard = Ledger(tmp_path / "study", create=True), []
    observer = Observer()
    observer.packing = lambda count: heard.append(count)
    observer.packs = lambda *facts: heard.append(facts)
    asked = []

    def submit(function, shapes, device):
        assert (function, device) == (measure_packs, "cuda")
        asked.append({cell.name: size for cell, size in shapes.values()})
        future: Future = Future()
        future.set_result({key: (size, 9.0) if c.name == "cls" else (1, 1.1) for key, (c, size) in shapes.items()})
        return future

    def decide():
        runner = Runner(plan, ledger, 2, FULL, observer)
        runner._enqueue()
        runner._decide_packing(SimpleNamespace(submit=submit, kill=lambda: None))
        return {cell.name: runner.packing.size(cell) for cell in plan.cells}

    return decide, asked, heard


def test_on_a_gpu_a_measurement_decides_once_for_each_shape(on_gpu):
    decide, asked, heard = on_gpu
    assert decide() == {"cls": MOST, "mean": 1}
    assert asked == [{"cls": MOST, "mean": MOST}]
    assert heard == [2, ("cls", MOST, 9.0), ("mean", 1, 1.1)]
    assert decide() == {"cls": MOST, "mean": 1}
    assert len(asked) == 1


def test_packs_are_timed_against_the_same_steps_alone(small_mnist, monkeypatch):
    for module in (studies.packing, studies.measure):
        monkeypatch.setattr(module, "load", lambda name: small_mnist)
    good = tiny.plan({}, recipe=tiny.RECIPE.replace(batch_size=64, max_translation=1)).cells[0]
    broken = dataclasses.replace(good, config=good.config.replace(in_channels=3))
    found = measure_packs({"good": (good, 3), "broken": (broken, 3)}, "cpu")
    size, gain = found["good"]
    assert gain > 0.1
    assert size == (3 if gain >= studies.packing.WORTH_IT else 1)
    assert found["broken"] == (1, 0.0)


def test_trials_of_a_pack_share_its_seconds(monkeypatch):
    plan, now = tiny.plan({}, seeds=4), 0.0
    monkeypatch.setattr(studies.progress.time, "monotonic", lambda: now)
    progress = Progress(plan, workers=1, work={trial.content_hash: 10.0 for trial in plan.trials})
    for trial in plan.trials:
        progress.begin(trial, together=4)
    now = 20.0
    assert progress.eta_seconds == 4 * (10 - 20 / 4)
    for trial in plan.trials[:3]:
        progress.end(trial, over=True)
    assert (progress.expected, progress.taken) == (30, 15)
