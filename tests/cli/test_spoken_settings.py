"""What was typed is taken the way it says, and machines can read the answers."""

import json

import pytest
import torch

import tiny
from studies.cli.doing.planned import resolve_device
from studies.cli.doing.settings_told import readings
from studies.design.settings import DesignError, parse_settings
from studies.report.publishing import publish
from studies.training.weights import load_weights_file, read_notes

STUDY = tiny.study({"pooling": ("cls", "mean"), "depth": (1, 2)})


@pytest.mark.parametrize(
    ("texts", "parts"),
    [
        (["patch_size=4,7"], ["read as one value, (4, 7)", "--factor patch_size=4,7"]),
        (["patch_size=(4,7)"], []),
        (["embed_dim=32"], []),
        (["pooling=mean"], ["--set pooling fixes a factor of tiny: depth still varies"]),
        (["pooling=mean", "depth=1"], ["one arm is left, and nothing to compare it with"]),
    ],
    ids=str,
)
def test_a_setting_that_may_mean_two_things_says_which_was_taken(texts, parts):
    said = " ".join(readings(STUDY, texts))
    assert [part for part in parts if part not in said] == []
    assert bool(said) == bool(parts)


def test_one_setting_twice_is_refused():
    with pytest.raises(DesignError, match="--set depth is given twice, 1 and 2: leave one out"):
        parse_settings(["depth=1", "depth=2"])


def test_devices_are_named_with_their_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [resolve_device(name) for name in ("auto", "cuda", "cuda:1", "cpu")] == ["cuda", "cuda", "cuda:1", "cpu"]
    with pytest.raises(DesignError, match=r"--device cuda:2: .* choices: cuda, cpu, cuda:0, cuda:1"):
        resolve_device("cuda:2")


def test_a_word_that_is_no_device_is_refused_before_torch_is_asked(capsys):
    assert tiny.vit_ablate("plan", "pooling", "--device", "cuda:x") == 2
    assert "cuda, mps, or a GPU by its number: cuda:1" in capsys.readouterr().err


def test_trained_weights_are_kept_where_they_were_asked_for(tmp_path, capsys):
    file = tmp_path / "new" / "my model.safetensors"
    assert tiny.vit_ablate("train", *tiny.settings(), "--save", str(file), "--seed", "3") == 0
    assert f"vit-ablate look --weights '{file}'" in capsys.readouterr().out
    assert load_weights_file(file).config.patch_size == 14
    assert read_notes(file)["seed"] == "3"


def test_weights_that_cannot_be_kept_are_told_of_before_training(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert tiny.vit_ablate("train", *tiny.settings(), "--save", str(tmp_path / "file" / "w.safetensors")) == 2
    said = capsys.readouterr()
    assert str(tmp_path / "file") in said.err
    assert "epoch" not in said.out


@pytest.mark.parametrize("what", ["studies", "components"])
def test_the_list_is_json_on_request(capsys, what):
    assert tiny.vit_ablate("list", what, "--json") == 0
    assert all(row["name"] for row in json.loads(capsys.readouterr().out))


def test_a_comparison_is_one_object_and_its_exit_code_stays(tmp_path, capsys):
    folders = [tmp_path / name / "tiny-mnist-cpu" for name in "ab"]
    for folder in folders:
        publish(ledger := tiny.filled(folder), tiny.home(ledger))
    assert tiny.vit_ablate("compare", *map(str, folders), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["outcome"], found["worse"], found["trials"]) == ("passed", False, 10)
    assert {arm["arm"] for arm in found["arms"]} == set(found["checked"])
