"""Trained weights in a safetensors file with their configuration beside them; nothing is ever unpickled."""

from __future__ import annotations

import dataclasses
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vit import ConfigError, ViT, ViTConfig
from vit.outline import outline

CONFIG = "vit_config"
MOST_TABLES_GIB = 4


class WeightsError(RuntimeError):
    """A weights file cannot be read; the message names the file, what is wrong and what to do."""


def save_weights(model: ViT, path: str | Path, notes: Mapping[str, str] | None = None) -> Path:
    """Write weights and configuration to ``path``, whole or not at all; returns the path.

    Args:
        model: on any device, in any floating type.
        path: its folder is made where it is missing.
        notes: further text for the file, for example the data set and the seed; ``read_notes`` returns it.
    """
    path = Path(path)
    config = json.dumps(dataclasses.asdict(model.config), sort_keys=True)
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    content = save(tensors, metadata={**(notes or {}), CONFIG: config})
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def load_weights_file(path: str | Path) -> ViT:
    """The model of a file that ``save_weights`` wrote, on the CPU, in evaluation mode, in the saved type.

    Raises:
        WeightsError: no such file, not safetensors, no or another configuration, or other shapes; found out before
            anything of the size that the configuration claims is allocated.
    """
    metadata, tensors = _read(Path(path))
    config = _config(path, metadata)
    claimed = outline(config)
    _check(path, claimed.state_dict(), tensors)
    _check_tables(path, claimed)
    kinds = [value.dtype for value in tensors.values() if value.is_floating_point()]
    if not kinds:
        raise WeightsError(f"{path}: its tensors hold whole numbers, not weights")
    model = ViT(config).to(kinds[0])
    model.load_state_dict(tensors)
    return model.eval()


def read_notes(path: str | Path) -> dict[str, str]:
    """The notes that ``save_weights`` was given.

    Raises:
        WeightsError: no such file, or not safetensors.
    """
    metadata, _ = _read(Path(path))
    return {name: text for name, text in metadata.items() if name != CONFIG}


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error}); give a file that save_weights wrote") from None
    except SafetensorError as error:
        raise WeightsError(
            f"{path}: damaged, or not a safetensors file ({error}); "
            "a pickled .pt file is never opened: save its tensors with safetensors first"
        ) from None


def _config(path: str | Path, metadata: Mapping[str, str]) -> ViTConfig:
    if CONFIG not in metadata:
        raise WeightsError(
            f"{path}: no {CONFIG!r} in its metadata, so another program wrote it; "
            "load its tensors into a ViT yourself and call save_weights"
        )
    try:
        return ViTConfig(**json.loads(metadata[CONFIG]))
    except (ConfigError, TypeError, ValueError, RecursionError) as error:
        raise WeightsError(
            f"{path}: its configuration does not fit this version ({error}); "
            "a component of your own must be registered before its weights are loaded"
        ) from None


def _check_tables(path: str | Path, claimed: ViT) -> None:
    """Tables of positions are not in the file, so that its own size does not bound theirs."""
    kept = claimed.state_dict()
    tables = [value for name, value in claimed.named_buffers() if name not in kept]
    gib = sum(value.numel() * value.element_size() for value in tables) / 2**30
    if gib > MOST_TABLES_GIB:
        raise WeightsError(f"{path}: its configuration needs tables of {gib:,.0f} GiB: at most {MOST_TABLES_GIB}")


def _check(path: str | Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    wrong = [f"{name} is missing" for name in expected if name not in found]
    wrong += [f"{name} is unknown" for name in found if name not in expected]
    wrong += [
        f"{name} is {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in expected
        if name in found and found[name].shape != expected[name].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise WeightsError(f"{path}: tensors do not fit its configuration: {'; '.join(wrong[:3])}{more}")
