"""Weights in the format of whoever loads them next, one class a format; each folder is loaded as ``usage`` says."""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import save_file

from bench.files import write
from studies.training.weights import save_weights
from vit import Registry, ViT
from vit.interop import export_weights


class HandoverError(ValueError):
    """A model cannot be handed over as asked; the message says what is missing, and what to do."""


@dataclass(frozen=True)
class Images:
    """How images become the input of a model: ``(pixel / 255 - mean) / std``, channel by channel, of these classes."""

    mean: Sequence[float]
    std: Sequence[float]
    classes: Sequence[str]


class Format:
    """One kind of folder."""

    files: ClassVar[Sequence[str]]
    """What it writes."""
    usage: ClassVar[str]
    """Python that makes ``logits`` (b, num_classes) of ``images`` (b, c, h, w), prepared float32, beside the files."""

    @classmethod
    def write(cls, model: ViT, images: Images, notes: Mapping[str, str], folder: Path) -> None:
        """Write its files, each whole or not at all.

        Raises:
            InteropError: the format has no counterpart for this model.
            HandoverError: a package is missing.
        """
        raise NotImplementedError


FORMATS: Registry[type[Format]] = Registry("model format")


@FORMATS.register("safetensors")
class Own(Format):
    """Our own: configuration and training inside."""

    files = ("model.safetensors",)
    usage = """from studies.training.weights import load_weights_file

model = load_weights_file("model.safetensors")
logits = model(images)
"""

    @classmethod
    def write(cls, model: ViT, images: Images, notes: Mapping[str, str], folder: Path) -> None:
        save_weights(model, folder / "model.safetensors", notes)


@FORMATS.register("timm")
class Timm(Format):
    """timm's ``VisionTransformer``: weights, and what its constructor is given."""

    files = ("model.safetensors", "config.json")
    usage = """import json
from functools import partial

from safetensors.torch import load_file
from timm.models.vision_transformer import VisionTransformer
from torch import nn

config = json.load(open("config.json"))
model = VisionTransformer(**config["arguments"], norm_layer=partial(nn.LayerNorm, eps=config["norm_eps"]))
model.load_state_dict(load_file("model.safetensors"))
logits = model.eval()(images)
"""

    @classmethod
    def write(cls, model: ViT, images: Images, notes: Mapping[str, str], folder: Path) -> None:
        arguments, state = export_weights(model, "timm")
        write(folder, "model.safetensors", lambda path: save_file(state, path, metadata={"format": "pt"}))
        write_json(folder, "config.json", {
            "architecture": "VisionTransformer",
            "arguments": arguments,
            "norm_eps": model.config.norm_eps,
            "mean": list(images.mean),
            "std": list(images.std),
            "classes": list(images.classes),
        })  # fmt: skip


@FORMATS.register("transformers")
class Transformers(Format):
    """A folder that ``from_pretrained`` of transformers takes."""

    files = ("model.safetensors", "config.json", "preprocessor_config.json")
    usage = """from transformers import ViTForImageClassification

model = ViTForImageClassification.from_pretrained(".")
logits = model.eval()(images).logits
"""

    @classmethod
    def write(cls, model: ViT, images: Images, notes: Mapping[str, str], folder: Path) -> None:
        arguments, state = export_weights(model, "transformers")
        del arguments["num_labels"]  # told by the labels
        height, width = model.config.image_shape
        labels = dict(enumerate(images.classes))
        write(folder, "model.safetensors", lambda path: save_file(state, path, metadata={"format": "pt"}))
        write_json(folder, "config.json", {
            "model_type": "vit",
            "architectures": ["ViTForImageClassification"],
            **arguments,
            "id2label": labels,
            "label2id": {label: i for i, label in labels.items()},
        })  # fmt: skip
        write_json(folder, "preprocessor_config.json", {
            "image_processor_type": "ViTImageProcessor",
            "do_resize": True,
            "size": {"height": height, "width": width},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": list(images.mean),
            "image_std": list(images.std),
        })  # fmt: skip


@FORMATS.register("onnx")
class Onnx(Format):
    """One ONNX file; the number of images a batch is free."""

    files = ("model.onnx",)
    usage = """import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
(logits,) = session.run(["logits"], {"images": images.numpy()})
"""

    @classmethod
    def write(cls, model: ViT, images: Images, notes: Mapping[str, str], folder: Path) -> None:
        for package in ("onnx", "onnxscript"):
            if importlib.util.find_spec(package) is None:
                raise HandoverError(f"--to onnx needs {package}: pip install 'vit-ablate[onnx]'")
        example = torch.zeros(2, model.config.in_channels, *model.config.image_shape)
        with warnings.catch_warnings(), _quiet("onnx_ir"):  # of what its passes leave alone
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                model.float().eval(),
                (example,),
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                verbose=False,
            )
        assert program is not None  # it is None only where a file is given
        content = program.model_proto
        for key, value in notes.items():
            content.metadata_props.add(key=key, value=value)
        write(folder, "model.onnx", lambda path: path.write_bytes(content.SerializeToString()))


@contextmanager
def _quiet(logger: str) -> Iterator[None]:
    """A library says nothing but errors meanwhile."""
    talker = logging.getLogger(logger)
    before = talker.level
    talker.setLevel(logging.ERROR)
    try:
        yield
    finally:
        talker.setLevel(before)


def write_json(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    """A file of JSON, whole or not at all."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write(folder, name, lambda path: path.write_text(text, encoding="utf-8"))
