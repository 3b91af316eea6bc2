"""The state of a training in a file: what comes back, and which files are refused."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

import studies.training.checkpoint
from studies.training.checkpoint import CheckpointError, load_state, save_state

STATE = {
    "numbers": [0.1, -0.0, 1e-300, float("inf"), 7, None, True, "µ"],
    "optimizer": {0: {"step": torch.tensor(3.0), "mean": torch.randn(3, 4)}, 1: {}},
    "streams": [[torch.get_rng_state()]],
    "half": torch.randn(5).bfloat16(),
    "none": torch.zeros(0),
    "slice": torch.arange(12).view(3, 4)[:, 1],
    "tensor": {"pairs": []},
}
ABOUT = {"trials": ["a", "b"], "torch": "2", "compile": False}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "folder" / "state.safetensors"
    save_state(path, STATE, ABOUT)
    return path


def same(ours, theirs):
    if isinstance(ours, torch.Tensor):
        return ours.dtype == theirs.dtype and torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return repr(ours) == repr(theirs)


def test_a_state_comes_back_bit_for_bit(path):
    assert same(load_state(path, ABOUT), STATE)
    assert [file.name for file in path.parent.iterdir()] == ["state.safetensors"]


def test_a_state_that_is_not_there_is_no_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_state(tmp_path / "none", ABOUT)


def test_a_truncated_file_is_refused_wherever_it_ends(path):
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="damaged"):
            load_state(path, ABOUT)


def test_a_bit_that_flipped_anywhere_is_noticed(path):
    whole = path.read_bytes()
    for place in range(8, len(whole), 61):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(CheckpointError):
            load_state(path, ABOUT)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: save_file({"weight": torch.ones(2)}, path),
        lambda path: save_file({"weight": torch.ones(2)}, path, {"checkpoint": "[", "sum": "0"}),
        lambda path: path.write_bytes(pickle.dumps({"weight": 1})),
        lambda path: path.write_bytes(b"\xff" * 8 + b"{}"),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)
def test_a_file_of_another_program_is_refused(path, write):
    write(path)
    with pytest.raises(CheckpointError, match="damaged"):
        load_state(path, ABOUT)


@pytest.mark.parametrize(
    ("about", "named"),
    [
        ({**ABOUT, "torch": "3"}, "torch"),
        ({**ABOUT, "trials": ["b", "a"], "compile": True}, "compile, trials"),
        ({**ABOUT, "threads": 1}, "threads"),
        ({}, "compile, torch, trials"),
    ],
)
def test_a_state_of_something_else_is_refused_by_name(path, about, named):
    with pytest.raises(CheckpointError, match=f"made with other {named}$"):
        load_state(path, about)


def test_a_state_of_another_format_is_refused(path, monkeypatch):
    monkeypatch.setattr(studies.training.checkpoint, "FORMAT", 99)
    with pytest.raises(CheckpointError, match=r"of format [0-9]+, not 99"):
        load_state(path, ABOUT)


def test_a_state_that_cannot_be_written_leaves_the_last_one(path, monkeypatch):
    monkeypatch.setattr("bench.files._to_disk", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        save_state(path, {"numbers": []}, ABOUT)
    assert same(load_state(path, ABOUT), STATE)
    assert len(list(path.parent.iterdir())) == 1
