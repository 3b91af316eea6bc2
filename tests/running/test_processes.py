import multiprocessing
import os
import signal
import time
from concurrent.futures import wait
from pathlib import Path

import pytest
import torch

import tiny
from studies.running.processes import ProcessExecutor


def pid_and_threads() -> tuple[int, int, bool]:
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return os.getpid(), torch.get_num_threads(), ignored


def fail(text: str) -> None:
    raise ValueError(text)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def touch_and_sleep(path: Path) -> None:
    path.touch()
    time.sleep(600)


@pytest.fixture(scope="module")
def executor():
    with ProcessExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="module", autouse=True)
def _nothing_stays():
    before = set(multiprocessing.active_children())
    yield
    tiny.until(lambda: not set(multiprocessing.active_children()) - before, "the end of all workers")


def test_workers_are_processes_of_one_thread_that_ignore_ctrl_c(executor):
    facts = [future.result() for future in [executor.submit(pid_and_threads) for _ in range(2)]]
    assert len({os.getpid(), *(pid for pid, _, _ in facts)}) == 3
    assert {(threads, ignored) for _, threads, ignored in facts} == {(1, True)}


def test_an_exception_comes_back_and_the_worker_stays(executor):
    with pytest.raises(ValueError, match="by itself"):
        executor.submit(fail, "by itself").result()
    before = {child.pid for child in multiprocessing.active_children()}
    assert executor.submit(os.getpid).result() in before


def test_a_dead_worker_takes_only_its_own_trial_and_is_replaced(executor, tmp_path):
    doomed, other = executor.submit(touch_and_sleep, tmp_path / "a"), executor.submit(touch_and_sleep, tmp_path / "b")
    tiny.until(lambda: len(list(tmp_path.iterdir())) == 2, "two busy workers")
    victim = multiprocessing.active_children()[0]
    victim.kill()
    done, running = wait([doomed, other], timeout=240, return_when="FIRST_COMPLETED")
    assert (len(done), len(running)) == (1, 1)
    with pytest.raises(ProcessExecutor.worker_died):
        done.pop().result()
    assert executor.submit(os.getpid).result() != victim.pid
    executor.kill()
    with pytest.raises(ProcessExecutor.worker_died):
        running.pop().result()


def test_a_worker_that_died_while_idle_is_replaced(executor):
    with pytest.raises(ProcessExecutor.worker_died):
        executor.submit(die).result()
    assert executor.submit(os.getpid).result() != os.getpid()
    for child in multiprocessing.active_children():
        child.kill()
        child.join()
    tiny.until(lambda: all(w.pool._broken for w in executor._idle.queue if w.pool._processes is None), "notice")
    assert executor.submit(pid_and_threads).result()[1] == 1


def test_ctrl_c_reaches_no_worker_not_even_one_that_still_starts():
    """A process that ignores the signal only once it runs Python would die of one that comes while it imports."""
    before = set(multiprocessing.active_children())
    with ProcessExecutor(1) as executor:
        future = executor.submit(os.getpid)
        (child,) = set(multiprocessing.active_children()) - before
        while not future.done():
            os.kill(child.pid, signal.SIGINT)
            time.sleep(0.02)
        assert future.result() == child.pid


def test_an_error_ends_what_still_runs(tmp_path):
    started = time.monotonic()
    with pytest.raises(ZeroDivisionError), ProcessExecutor(1) as executor:  # noqa: PT012
        future = executor.submit(touch_and_sleep, tmp_path / "busy")
        tiny.until((tmp_path / "busy").exists, "a busy worker")
        _ = 1 / 0
    with pytest.raises(ProcessExecutor.worker_died):
        future.result()
    assert time.monotonic() - started < 300
