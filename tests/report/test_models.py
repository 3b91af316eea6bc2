"""A trained arm in other programs: every card's own lines, run in its folder, give our logits."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import bench.libraries
from studies.cli import app
from studies.report.models.formats import FORMATS, Images
from studies.report.models.handing import hand_over, trained_of
from studies.training.weights import save_weights
from vit import ViT
from vit.interop import InteropError

NOTES = {"dataset": "mnist", "seed": "3", "recipe": json.dumps({"epochs": 2})}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return ViT(embed_dim=16, depth=2, num_heads=2, patch_size=14, norm_eps=1e-4).eval()


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    return save_weights(model, tmp_path_factory.mktemp("weights") / "tiles_learned_cls.safetensors", NOTES)


@pytest.mark.parametrize("form", FORMATS)
@torch.no_grad()
def test_the_card_says_how_to_use_it_and_it_is_true(form, model, weights, tmp_path, monkeypatch):
    bench.libraries.foreign("timm")  # torchvision beside a torch for CPUs
    paths = hand_over(trained_of("tiles/learned/cls", weights), form, tmp_path)
    assert all(path.exists() for path in paths)
    assert not list(tmp_path.glob(".tmp*"))
    card = (tmp_path / "README.md").read_text()
    lines = card.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    for batch in (1, 5):
        images = torch.randn(batch, 1, 28, 28)
        names = {"images": images}
        exec(lines, names)
        torch.testing.assert_close(torch.as_tensor(np.asarray(names["logits"])), model(images), rtol=1e-4, atol=1e-5)


def test_input_is_prepared_as_the_card_says(weights):
    trained = trained_of("an arm", weights)
    pixels = trained.data.train.images.double() / 255
    assert trained.images.mean == pytest.approx([pixels.mean().item()], rel=1e-4)
    assert trained.images.std == pytest.approx([pixels.std().item()], rel=1e-3)
    assert trained.images.classes == list("0123456789")


def test_without_normalisation_pixels_are_as_they_are(model, tmp_path):
    notes = NOTES | {"recipe": json.dumps({"normalize": False})}
    trained = trained_of("an arm", save_weights(model, tmp_path / "w.safetensors", notes))
    assert trained.images == Images([0.0], [1.0], list("0123456789"))


def test_what_has_no_counterpart_leaves_no_folder(tmp_path):
    weights = save_weights(ViT(positional="rope2d"), tmp_path / "w.safetensors", NOTES)
    with pytest.raises(InteropError, match="inside attention"):
        hand_over(trained_of("an arm", weights), "timm", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_in_a_card_are_no_markup(weights, tmp_path):
    hand_over(trained_of("<script>*bold*", weights), "safetensors", tmp_path)
    assert "# \\<script>\\*bold\\*" in (tmp_path / "README.md").read_text()


def test_the_command(weights, tmp_path):
    done = CliRunner().invoke(app, ["export", "--weights", str(weights), "--to", "timm", "--out", str(tmp_path / "x")])
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "x" / "config.json") in done.output
    assert json.loads((tmp_path / "x" / "config.json").read_text())["arguments"]["embed_dim"] == 16
