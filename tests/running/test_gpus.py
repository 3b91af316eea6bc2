"""Which GPU a worker sees. There is none here: what CUDA would read is read instead."""

import multiprocessing
import os

import pytest

import tiny
from studies.cli.options import default_workers
from studies.running.gpus import VISIBLE, one_each, visible_gpus
from studies.running.processes import ProcessExecutor

FOUR = ["0", "1", "2", "3"]


def what_is_seen():
    import torch

    assert not torch.cuda.is_initialized()  # what CUDA reads once it is asked
    return os.environ.get(VISIBLE)


def die():
    os._exit(9)


@pytest.fixture
def gpus(monkeypatch):
    """As on a machine with so many."""

    def there(number, named=None):
        monkeypatch.setattr("torch.cuda.is_available", lambda: number > 0)
        monkeypatch.setattr("torch.cuda.device_count", lambda: number)
        monkeypatch.delenv(VISIBLE, raising=False)
        if named is not None:
            monkeypatch.setenv(VISIBLE, named)

    return there


@pytest.mark.parametrize(
    ("device", "workers", "there", "seen"),
    [
        ("cuda", 4, FOUR, FOUR),
        ("cuda", 2, FOUR, ["0", "1"]),
        ("cuda", 5, ["2", "GPU-8f"], ["2", "GPU-8f", "2", "GPU-8f", "2"]),
        ("cuda", 3, ["0"], [None] * 3),
        ("cuda", 3, [], [None] * 3),
        ("cuda:1", 3, FOUR, [None] * 3),
        ("cpu", 2, FOUR, [None] * 2),
        ("mps", 2, [], [None] * 2),
    ],
)
def test_every_worker_has_one_and_they_take_turns(device, workers, there, seen):
    assert one_each(device, workers, there) == seen


def test_those_that_this_process_sees_are_named_as_it_was_told(gpus):
    gpus(3)
    assert visible_gpus() == ["0", "1", "2"]
    gpus(2, "5,GPU-8f,-1,7")  # CUDA sees none from the first that is not there
    assert visible_gpus() == ["5", "GPU-8f"]
    gpus(0, "")
    assert visible_gpus() == []


def test_by_default_one_worker_a_gpu(gpus):
    gpus(9)
    assert default_workers("cuda") == 9
    assert default_workers("cuda:1") <= 4
    gpus(1)
    assert default_workers("cuda") <= 4


def test_processes_see_their_gpu_and_so_do_those_that_replace_them(gpus):
    gpus(2, "5,GPU-8f")
    with ProcessExecutor(2, "cuda") as executor:
        assert {future.result() for future in [executor.submit(what_is_seen) for _ in range(2)]} == {"5", "GPU-8f"}
        with pytest.raises(ProcessExecutor.worker_died):
            executor.submit(die).result()
        tiny.until(lambda: executor._idle.qsize() == 2, "a worker instead")
        assert {future.result() for future in [executor.submit(what_is_seen) for _ in range(2)]} == {"5", "GPU-8f"}
    with ProcessExecutor(1, "cuda:1") as executor:
        assert executor.submit(what_is_seen).result() == "5,GPU-8f"  # of which torch takes the second
    assert not multiprocessing.active_children()
