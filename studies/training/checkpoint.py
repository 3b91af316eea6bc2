"""The state of a training in a file: tensors as safetensors, all else as JSON beside them; nothing is pickled."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from bench.files import write

FORMAT = 2
"""Raise it when the state of a session changes its meaning."""


class CheckpointError(RuntimeError):
    """A file holds no state that this training could go on from; the message says why."""


def save_state(path: Path, state: Any, about: Mapping[str, Any]) -> None:
    """Write a state, whole or not at all.

    Args:
        path: its folder is made where it is missing.
        state: tensors on any device, numbers and texts, in lists and mappings.
        about: whose state it is, plain JSON; only who says the same can read it.

    Raises:
        OSError: the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    plain = _apart(state, tensors)
    text = json.dumps({"format": FORMAT, "about": about, "state": plain}, sort_keys=True)
    metadata = {"checkpoint": text, "sum": _sum(text, tensors)}
    content = save(tensors, metadata)  # as bytes: safetensors' own errors hide the system's
    write(path.parent, path.name, lambda part: part.write_bytes(content))


def load_state(path: Path, about: Mapping[str, Any]) -> Any:
    """The state of a file, its tensors on the CPU.

    Raises:
        FileNotFoundError: there is none.
        CheckpointError: it is damaged, of another program or format, or about something else.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = metadata["checkpoint"]
        if metadata["sum"] != _sum(text, tensors):
            raise CheckpointError("damaged: its sum differs")
        content = json.loads(text)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"damaged, or no checkpoint ({error})") from None
    if content["format"] != FORMAT:
        raise CheckpointError(f"of format {content['format']}, not {FORMAT}")
    wanted = json.loads(json.dumps(about))
    if differs := sorted(key for key in {*wanted, *content["about"]} if wanted.get(key) != content["about"].get(key)):
        raise CheckpointError(f"made with other {', '.join(differs)}")
    return _together(content["state"], tensors)


def _apart(value: Any, tensors: dict[str, Tensor]) -> Any:
    """A value as JSON, in which every tensor is the name under which it is put aside."""
    if isinstance(value, Tensor):
        name = f"{len(tensors):05}"
        tensors[name] = value.detach().cpu().contiguous()
        return {"tensor": name}
    if isinstance(value, Mapping):  # in pairs: keys may be numbers
        return {"pairs": [[key, _apart(item, tensors)] for key, item in value.items()]}
    return [_apart(item, tensors) for item in value] if isinstance(value, (list, tuple)) else value


def _together(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_together(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensors[value["tensor"]]
    return {key: _together(item, tensors) for key, item in value["pairs"]}


def _sum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """Of everything in a file, in the order of names: disks and copies change bits, and results would follow."""
    found = zlib.crc32(text.encode())
    for name in sorted(tensors):
        found = zlib.crc32(tensors[name].flatten().view(torch.uint8).numpy().data, found)
    return str(found)
