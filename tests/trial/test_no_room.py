"""Trials on a machine without room: a disk that is really full, and other errors that are not a trial's fault."""

import errno
import os
import subprocess
from contextlib import suppress

import pytest
from safetensors.torch import load_file

import studies.trial.trial
import tiny
from bench.files import MachineError, machine_error
from studies.data import DataError
from studies.training.weights import save_weights
from studies.trial.care import Care, Order
from studies.trial.setup import Setup
from studies.trial.trial import run_trial, run_trials
from vit import ViT

SETUP = Setup(tiny.MODEL.replace(embed_dim=32), tiny.RECIPE.replace(batch_size=128, epochs=2), "mnist")


@pytest.fixture
def small(monkeypatch, small_mnist):
    monkeypatch.setattr(studies.trial.trial, "load", lambda name: small_mnist)


@pytest.fixture
def full(tmp_path):
    """A folder on a disk of its own, of 64 KiB, all of which are taken."""
    place = tmp_path / "full"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    try:
        with suppress(OSError), (place / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        assert os.statvfs(place).f_bavail == 0
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def test_weights_that_find_no_room_are_a_note_of_a_trial_that_counts(small, full):
    alone = run_trial(SETUP, 0, "cpu")
    outcome = run_trial(SETUP, 0, "cpu", full / "weights" / "a.safetensors")
    assert outcome.reason is None
    assert tiny.decided(outcome.record) == tiny.decided(alone.record)
    assert "weights of seed 0 are not kept: OSError: [Errno 28] No space left on device" in outcome.record["notes"]
    assert [path.name for path in full.rglob("*") if path.is_file()] == ["filler"]


def test_in_a_pack_too_and_each_for_itself(small, full, tmp_path):
    orders = [Order(SETUP, 0, full / "a.safetensors"), Order(SETUP, 1, tmp_path / "b.safetensors")]
    outcomes = run_trials(orders, "cpu")
    assert [outcome.reason for outcome in outcomes] == [None, None]
    assert load_file(tmp_path / "b.safetensors")
    assert outcomes[0].record["notes"].count("not kept") == 1


def test_checkpoints_that_find_no_room_are_a_note_too(small, full):
    outcome = run_trial(SETUP, 0, "cpu", care=Care(full / "checkpoints", every=0.0))
    assert outcome.reason is None
    assert "no checkpoint at step 1: No space left on device" in outcome.record["notes"]
    assert [path.name for path in full.rglob("*") if path.is_file()] == ["filler"]


def test_weights_on_a_full_disk_raise_what_the_system_says(full):
    with pytest.raises(OSError) as raised:
        save_weights(ViT(SETUP.config), full / "weights.safetensors")
    assert raised.value.errno == errno.ENOSPC


def wrapped():
    try:
        raise OSError(errno.EIO, "Input/output error", "/data/train.bin")
    except OSError as error:
        raise DataError("cannot read the images") from error


def no_room():
    raise OSError(errno.ENOSPC, "No space left on device")


def too_many():
    raise OSError(errno.EMFILE, "Too many open files", "/dev/zero")


@pytest.mark.parametrize("fault", [wrapped, no_room, too_many])
@pytest.mark.parametrize("packed", [False, True])
def test_what_the_machine_lacks_is_no_failure_of_a_trial(fault, packed, monkeypatch):
    monkeypatch.setattr(studies.trial.trial, "load", lambda _: fault())
    with pytest.raises(MachineError) as raised:
        _ = run_trials([Order(SETUP, 0)], "cpu") if packed else run_trial(SETUP, 0, "cpu")
    assert os.strerror(raised.value.errno) in str(raised.value)


def test_what_is_missing_or_forbidden_is_a_failure(monkeypatch):
    def missing(_):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/data")

    monkeypatch.setattr(studies.trial.trial, "load", missing)
    assert "No such file" in run_trial(SETUP, 0, "cpu").reason


def test_errors_that_cause_each_other_are_looked_at_once():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert machine_error(first) is None
    assert machine_error(None) is None
