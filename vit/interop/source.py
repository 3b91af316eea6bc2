"""What a foreign source of weights has to say, and the two ways across."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from math import isqrt
from typing import Any, ClassVar

import torch
from torch import Tensor

from vit.config import ViTConfig
from vit.model import ViT
from vit.outline import outline
from vit.registry import Registry


class InteropError(ValueError):
    """Weights that have no place on the other side; the message names the tensor or the field, and why."""


SOURCES: Registry[type[Source]] = Registry("source of weights")


class Source:
    """Another implementation: how its tensors are called, and which of our configurations it can express.

    Every method is given and gives whole state dicts, ``name -> tensor``. Nothing is changed in place.
    """

    any_value: ClassVar[tuple[str, ...]] = ()
    """Fields of ViTConfig that may have any value there."""
    choices: ClassVar[Mapping[str, tuple[object, ...]]] = {}
    """Fields that may have some. A field in neither must be at its default."""

    @classmethod
    def config(cls, state: Mapping[str, Tensor], **fields: Any) -> ViTConfig:
        """The configuration that the shapes of ``state`` tell; ``fields`` come before what is read.

        Raises:
            InteropError: a tensor is missing.
            ConfigError: an impossible combination.
        """
        raise NotImplementedError

    @classmethod
    def to_ours(cls, state: Mapping[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
        """Their tensors under our names and in our shapes."""
        raise NotImplementedError

    @classmethod
    def from_ours(cls, model: ViT) -> dict[str, Tensor]:
        """Our tensors under their names and in their shapes."""
        raise NotImplementedError

    @classmethod
    def arguments(cls, config: ViTConfig) -> dict[str, Any]:
        """What their constructor is given for a model of this configuration; plain JSON types."""
        raise NotImplementedError

    @classmethod
    def refuses(cls, config: ViTConfig) -> str | None:
        """Why this configuration cannot be expressed there, or None."""
        for field in dataclasses.fields(config):
            value = getattr(config, field.name)
            choices = cls.choices.get(field.name, (field.default,))
            if field.name not in cls.any_value and value not in choices:
                return f"{field.name}={value!r} has no counterpart; choices: {', '.join(map(str, choices))}"
        return None


def load_weights(
    state_dict: Mapping[str, Tensor], source: str = "timm", config: ViTConfig | None = None, **fields: Any
) -> ViT:
    """Our model with the weights of another library's.

    Args:
        state_dict: of ``timm``'s VisionTransformer, ``transformers``' ViTForImageClassification, or the notebook.
        source: a name in ``SOURCES``.
        config: its configuration; read from the shapes where it is not given. Shapes do not tell the number of
            heads (64 wide each in timm and transformers, unless said) nor which way an image that is not square lies.
        fields: of ``ViTConfig``, instead of what the shapes tell.

    Returns:
        The model in evaluation mode, of the type of the weights, on their device.

    Raises:
        UnknownNameError: no such source.
        InteropError: a tensor is missing, has no place, or has another shape.
        ConfigError: the configuration is impossible.
    """
    chosen = SOURCES[source]
    state = {name: value for name, value in state_dict.items() if torch.is_tensor(value)}
    config = ViTConfig.of(config, **fields) if config is not None else chosen.config(state, **fields)
    ours = chosen.to_ours(state, config)
    _check(outline(config).state_dict(), ours, source)
    first = next(iter(ours.values()))
    model = ViT(config).to(first.device, first.dtype)
    model.load_state_dict(ours)
    return model.eval()


def export_weights(model: ViT, to: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What another library's constructor is given, and the state dict for what it builds.

    Raises:
        UnknownNameError: no such library.
        InteropError: it has no counterpart for this configuration.
    """
    chosen = SOURCES[to]
    if reason := chosen.refuses(model.config):
        raise InteropError(f"{to} cannot express this model: {reason}")
    return chosen.arguments(model.config), {name: value.contiguous() for name, value in chosen.from_ours(model).items()}


def renamed(state: Mapping[str, Tensor], names: Iterable[tuple[str, str]]) -> dict[str, Tensor]:
    """Every name with the first matching pattern replaced; a name without one stays."""
    out = {}
    for name, value in state.items():
        for pattern, replacement in names:
            changed, times = re.subn(pattern, replacement, name)
            if times:
                name = changed
                break
        out[name] = value
    return out


def needed(state: Mapping[str, Tensor], name: str) -> Tensor:
    """A tensor by its name.

    Raises:
        InteropError: there is none.
    """
    if name not in state:
        raise InteropError(f"no tensor {name!r}: not such a model, or another release of the library")
    return state[name]


def depth_of(state: Mapping[str, Tensor], pattern: str) -> int:
    """How many blocks there are; ``pattern`` has one group, their number."""
    found = {int(match[1]) for name in state if (match := re.match(pattern, name))}
    return len(found)


def square(num_patches: int, patch_shape: tuple[int, int]) -> tuple[int, int]:
    """Height and width of an image of so many patches, as many in a row as in a column.

    Raises:
        InteropError: that is no square number.
    """
    side = isqrt(num_patches)
    if side * side != num_patches:
        raise InteropError(f"{num_patches} positions are not a square grid: give image_size")
    return side * patch_shape[0], side * patch_shape[1]


def simple(size: tuple[int, int]) -> int | tuple[int, int]:
    """One number for a square."""
    return size[0] if size[0] == size[1] else size


def added_positions(model: ViT) -> Tensor:
    """What the positional scheme adds to every token: ``(num_tokens, d)``.

    Raises:
        InteropError: it does not add, or not only.
    """
    positional, config = model.positional, model.config
    with torch.no_grad():
        if positional.rotates() or positional.bias() is not None:
            raise InteropError(
                f"positional={config.positional!r} acts inside attention, which has no counterpart there; "
                "none, learned, sinusoidal and sincos2d have"
            )
        return positional.add(model.patch_embedding.weight.new_zeros(1, config.num_tokens, config.embed_dim))[0]


def _check(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], source: str) -> None:
    wrong = [f"{name} is missing" for name in expected if name not in found]
    wrong += [f"{name} has no place in ours" for name in found if name not in expected]
    wrong += [
        f"{name} is {tuple(value.shape)}, expected {tuple(expected[name].shape)}"
        for name, value in found.items()
        if name in expected and value.shape != expected[name].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise InteropError(f"weights of {source} do not fit: {'; '.join(wrong[:3])}{more}")
