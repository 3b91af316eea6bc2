"""A trained model from its file: safetensors read with torch alone, because this package needs nothing else."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vit.config import ConfigError, ViTConfig

if TYPE_CHECKING:
    from vit.model import ViT

CONFIG = "vit_config"
MOST_HEADER = 100_000_000  # bytes, as safetensors itself allows
DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


class PretrainedError(ValueError):
    """A file that holds no model of ours; the message names it, what is wrong and the fix."""


def from_pretrained(kind: type[ViT], place: str | Path) -> ViT:
    """The model of a weights file, or of the one weights file in a folder, on the CPU and in evaluation mode.

    Args:
        kind: ViT, or a class derived from it.
        place: what ``vit-ablate train --save`` or ``export`` wrote, or ``weights/`` of a results folder.

    Raises:
        PretrainedError: no such file, several of them, not safetensors, another configuration or other tensors.
    """
    path = _file(Path(place))
    metadata, tensors = read(path)
    if CONFIG not in metadata:
        raise PretrainedError(f"{path}: no configuration in it; weights of other libraries: vit.interop.load_weights")
    try:
        model = kind(ViTConfig(**json.loads(metadata[CONFIG])))
        model.to(next(value.dtype for value in tensors.values() if value.is_floating_point()))
        model.load_state_dict(tensors)
    except (ConfigError, TypeError, ValueError, RuntimeError, StopIteration) as error:
        raise PretrainedError(f"{path}: does not fit this version of vit: {str(error).splitlines()[0]}") from None
    return model.eval()


def read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file (https://github.com/huggingface/safetensors, "Format").

    Raises:
        PretrainedError: it cannot be read, or is no such file.
    """
    try:
        content = bytearray(path.read_bytes())
        (length,) = struct.unpack_from("<Q", content)
        if not 0 < length <= min(MOST_HEADER, len(content) - 8):
            raise ValueError("no header")
        header: dict[str, Any] = json.loads(content[8 : 8 + length])
        metadata = header.pop("__metadata__", None) or {}
        data = memoryview(content)[8 + length :]
        return metadata, {name: _tensor(data, facts) for name, facts in header.items()}
    except OSError as error:
        raise PretrainedError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, struct.error) as error:
        raise PretrainedError(f"{path}: damaged, or no safetensors file ({error}); pickles are never opened") from None


def _tensor(data: memoryview, facts: dict[str, Any]) -> Tensor:
    start, end = facts["data_offsets"]
    dtype, shape = DTYPES[facts["dtype"]], tuple(facts["shape"])
    if not 0 <= start <= end <= len(data) or end - start != dtype.itemsize * torch.Size(shape).numel():
        raise ValueError("a tensor lies outside of the file, or has another size than it says")
    if start == end:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(data[start:end], dtype=torch.uint8).clone().view(dtype).reshape(shape)


def _file(place: Path) -> Path:
    """The weights file of a folder; a file is itself."""
    if not place.is_dir():
        return place
    found = sorted(place.glob("*.safetensors"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise PretrainedError(f"{place} should hold one .safetensors file; it holds: {names}. Name the file itself")
    return found[0]
