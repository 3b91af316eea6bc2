import subprocess

import pytest
import torch

from bench import doctor
from bench.doctor import diagnose, provenance
from bench.limits import Limits, measure_limits, torch_threads


@pytest.fixture(scope="module")
def limits():
    return measure_limits("cpu", threads=1, rounds=1, round_seconds=0.001)


def test_limits_are_rates_of_this_machine(limits):
    assert limits.threads == 1
    assert set(limits.gemm) == {"float32", "bfloat16"}
    assert min(*limits.gemm.values(), limits.copy) > 0


def test_threads_are_put_back():
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_the_limit_is_the_slower_of_arithmetic_and_memory():
    limits = Limits("cpu", 1, {"float32": 100.0, "bfloat16": 400.0}, copy=20.0)
    assert limits.seconds(flops=200e9, num_bytes=0) == pytest.approx(2.0)
    assert limits.seconds(flops=200e9, num_bytes=0, dtype="bfloat16") == pytest.approx(0.5)
    assert limits.seconds(flops=200e9, num_bytes=60e9) == pytest.approx(3.0)


def test_the_best_of_two_measurements():
    one = Limits("cpu", 1, {"float32": 100.0, "bfloat16": 300.0}, copy=20.0)
    two = Limits("cpu", 1, {"float32": 90.0, "bfloat16": 400.0}, copy=10.0)
    assert one.best(two) == Limits("cpu", 1, {"float32": 100.0, "bfloat16": 400.0}, 20.0)


def test_diagnosis_is_rows_of_text():
    rows = diagnose("cpu", measure=False)
    assert all(isinstance(name, str) and isinstance(value, str) and value for name, value in rows)
    found = dict(rows)
    assert len(found) == len(rows)
    assert found["torch"] == torch.__version__
    assert found["device used"] == "cpu"


def test_diagnosis_measures_one_thread_and_all(monkeypatch, limits):
    monkeypatch.setattr(doctor, "usable_cores", lambda: 4)
    asked = []
    monkeypatch.setattr(doctor, "measure_limits", lambda device, threads: asked.append(threads) or limits)
    names = [name for name, _ in diagnose("cpu")]
    assert asked == [1, 4]
    assert "matrix product float32, 1 thread" in names


def test_no_checkout_no_commit(monkeypatch):
    def refuse(*args, **kwargs):
        raise subprocess.CalledProcessError(128, "git")

    monkeypatch.setattr(subprocess, "run", refuse)
    assert doctor.commit() == "unknown"
    assert provenance("nox -s bench", "cpu")["command"] == "nox -s bench"
