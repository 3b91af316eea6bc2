import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from studies.training import weights
from studies.training.weights import WeightsError, load_weights_file, read_notes, save_weights
from vit import PRESETS, ViT, ViTConfig

TINY = PRESETS["tiny"]


@pytest.mark.parametrize(
    "config",
    [
        TINY,
        TINY.replace(image_size=(28, 14), patch_size=(4, 7), num_registers=2, pooling="map"),
        TINY.replace(chunking="horizontal", patch_size=None, num_strips=4, positional="relative"),
        PRESETS["notebook"],
    ],
    ids=["tiny", "pairs", "strips", "notebook"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_what_is_saved_is_loaded(config: ViTConfig, dtype: torch.dtype, tmp_path):
    model = ViT(config).to(dtype)
    loaded = load_weights_file(save_weights(model, tmp_path / "new" / "folder" / "w.safetensors"))
    assert loaded.config == config
    assert not loaded.training
    for name, value in model.state_dict().items():
        assert loaded.state_dict()[name].dtype == dtype
        assert torch.equal(loaded.state_dict()[name], value)


def test_the_same_model_gives_the_same_bytes_and_leaves_nothing_beside(tmp_path):
    model = ViT(TINY)
    first = save_weights(model, tmp_path / "a.safetensors").read_bytes()
    assert save_weights(model, tmp_path / "b.safetensors").read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]


def test_saving_does_not_change_the_model(tmp_path):
    model = ViT(TINY)
    save_weights(model, tmp_path / "w.safetensors")
    assert model.training
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_notes_come_back(tmp_path):
    path = save_weights(ViT(TINY), tmp_path / "w.safetensors", notes={"dataset": "mnist", "seed": "3"})
    assert read_notes(path) == {"dataset": "mnist", "seed": "3"}
    assert read_notes(save_weights(ViT(TINY), path)) == {}


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = save_weights(ViT(TINY), tmp_path / "w.safetensors")
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        save_weights(ViT(TINY), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_missing_file(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors: cannot be read"):
        load_weights_file(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("read", [load_weights_file, read_notes])
def test_a_folder_is_not_a_file(read, tmp_path):
    with pytest.raises(WeightsError, match="cannot be read"):
        read(tmp_path)


def test_a_pickle_is_not_opened(tmp_path):
    torch.save(ViT(TINY).state_dict(), tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load_weights_file(tmp_path / "w.pt")


@pytest.mark.parametrize("keep", [0, 4, 1000, -1])
def test_a_truncated_file(keep, tmp_path):
    path = save_weights(ViT(TINY), tmp_path / "w.safetensors")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsError, match="damaged"):
        load_weights_file(path)


def test_no_configuration(tmp_path):
    save_file(ViT(TINY).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"no 'vit_config' in its metadata.*save_weights"):
        load_weights_file(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"embed_dim": 7, "num_heads": 2, "patch_size": 7}, "does not divide embed_dim=7"),
        ({"positional": "mine", "patch_size": 7}, "unknown positional scheme 'mine'.*registered before"),
        ({"patch_size": 7, "colour": "red"}, "colour"),
        ("{", "does not fit this version"),
        ([1], "does not fit this version"),
    ],
)
def test_a_configuration_that_does_not_fit(config, message, tmp_path):
    text = config if isinstance(config, str) else json.dumps(config)
    save_file(ViT(TINY).state_dict(), tmp_path / "w.safetensors", metadata={"vit_config": text})
    with pytest.raises(WeightsError, match=message):
        load_weights_file(tmp_path / "w.safetensors")


def edited(path, edit):
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    edit(tensors)
    save_file(tensors, path, metadata=metadata)
    return path


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.update({"head.bias": torch.zeros(3)}), r"head\.bias is \(3,\), expected \(10,\)"),
        (lambda t: t.pop("head.bias"), r"head\.bias is missing"),
        (lambda t: t.update(extra=torch.zeros(1)), "extra is unknown"),
        (lambda t: t.clear(), "and .* more"),
    ],
)
def test_tensors_that_do_not_fit(edit, message, tmp_path):
    path = edited(save_weights(ViT(TINY), tmp_path / "w.safetensors"), edit)
    with pytest.raises(WeightsError, match=message):
        load_weights_file(path)


def claiming(path, **fields):
    """A small file whose configuration says something else than its tensors."""
    with safe_open(save_weights(ViT(TINY), path), framework="pt") as file:
        tensors, config = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()["vit_config"]  # noqa: SIM118
    save_file(tensors, path, metadata={"vit_config": json.dumps({**json.loads(config), **fields})})
    return path


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"image_size": 10**10}, "image_size=10,000,000,000 is too large"),
        ({"embed_dim": 2**15}, "expected"),
        ({"depth": 1000}, "is missing"),
        ({"num_classes": 10**7}, "head.weight is"),
        ({"image_size": [28]}, "must be"),
        ({"chunking": []}, "must be"),
    ],
    ids=str,
)
def test_what_a_file_claims_is_compared_before_it_is_allocated(fields, part, tmp_path, monkeypatch):
    built = []
    monkeypatch.setattr(ViT, "load_state_dict", lambda *_: built.append(1))
    with pytest.raises(WeightsError) as refused:
        load_weights_file(claiming(tmp_path / "w.safetensors", **fields))
    assert part in str(refused.value)
    assert built == []


def test_tables_that_are_not_in_the_file_are_bounded(tmp_path, monkeypatch):
    path = save_weights(ViT(TINY.replace(positional="sinusoidal")), tmp_path / "w.safetensors")
    assert load_weights_file(path).config.positional == "sinusoidal"
    monkeypatch.setattr(weights, "MOST_TABLES_GIB", 1e-9)
    with pytest.raises(WeightsError, match="its configuration needs tables of"):
        load_weights_file(path)


@pytest.mark.parametrize("config", ["[" * 10**5, "[1]", "3", '{"depth": 1e400}', '{"depth": ' + "9" * 5000 + "}"])
def test_a_configuration_that_is_none_is_one_line(config, tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "w.safetensors", metadata={"vit_config": config})
    with pytest.raises(WeightsError, match="its configuration does not fit this version"):
        load_weights_file(tmp_path / "w.safetensors")
