"""A model from its file, read with torch alone."""

import json
import struct

import pytest
import torch
from safetensors.torch import save_file

from studies.training.weights import save_weights
from vit import PRESETS, PretrainedError, ViT
from vit.pretrained import DTYPES, read


@pytest.fixture(scope="module")
def model():
    return ViT(PRESETS["notebook"]).eval()


@pytest.mark.parametrize("place", [".", "a.safetensors"])
def test_a_folder_or_a_file_gives_the_model_back(model, tmp_path, place):
    save_weights(model, tmp_path / "a.safetensors")
    again = ViT.from_pretrained(tmp_path / place)
    assert not again.training
    assert again.config == model.config
    images = torch.rand(2, *(model.config.in_channels, *model.config.image_shape))
    assert torch.equal(again(images), model(images))


def test_the_saved_type_is_kept(model, tmp_path):
    half = ViT(model.config).to(torch.bfloat16)
    save_weights(half, tmp_path / "a.safetensors")
    assert {value.dtype for value in ViT.from_pretrained(tmp_path).state_dict().values()} == {torch.bfloat16}


def test_every_type_is_read_as_safetensors_writes_it(tmp_path):
    tensors = {name: torch.arange(6).reshape(2, 3).to(dtype) for name, dtype in DTYPES.items()}
    tensors["empty"], tensors["scalar"] = torch.empty(0, 3), torch.tensor(2.5)
    save_file(tensors, tmp_path / "t.safetensors", metadata={"a": "b"})
    metadata, found = read(tmp_path / "t.safetensors")
    assert metadata == {"a": "b"}
    assert {name: (t.dtype, t.tolist()) for name, t in found.items()} == {
        name: (t.dtype, t.tolist()) for name, t in tensors.items()
    }


def header(content, data=b"", length=None):
    text = json.dumps(content).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a file of weights",
        header({}, length=10**12),
        header({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, b"\0" * 8),
        header({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8]}}, b"\0" * 8),
        header({"a": {"dtype": "F7", "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
        header({"a": 3}),
        header([1]),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(PretrainedError, match=r"a\.safetensors: (damaged|no config)"):
        ViT.from_pretrained(tmp_path)


def test_what_is_no_model_of_ours_says_what_to_do(model, tmp_path):
    with pytest.raises(PretrainedError, match="it holds: none"):
        ViT.from_pretrained(tmp_path)
    with pytest.raises(PretrainedError, match="No such file"):
        ViT.from_pretrained(tmp_path / "b.safetensors")
    save_file(model.state_dict(), tmp_path / "a.safetensors")
    with pytest.raises(PretrainedError, match=r"vit\.interop\.load_weights"):
        ViT.from_pretrained(tmp_path)
    save_file(model.state_dict(), tmp_path / "a.safetensors", metadata={"vit_config": json.dumps({"depth": "x"})})
    with pytest.raises(PretrainedError, match="does not fit"):
        ViT.from_pretrained(tmp_path)
    save_weights(model, tmp_path / "b.safetensors")
    with pytest.raises(PretrainedError, match=r"a\.safetensors, b\.safetensors"):
        ViT.from_pretrained(tmp_path)
