"""Settings by name: fields of model or recipe, from the command line or a factor."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from studies.design.levels import DesignError as DesignError
from studies.design.levels import plain, shown
from studies.training.recipe import Recipe
from vit import ViTConfig


def apply(base: ViTConfig, recipe: Recipe, changes: Mapping[str, Any]) -> tuple[ViTConfig, Recipe]:
    """Change fields of either by name.

    Raises:
        DesignError: neither has such a field, or a value that is not plain.
        ConfigError, RecipeError: an impossible value.
    """
    model_fields = {f.name for f in dataclasses.fields(ViTConfig)}
    recipe_fields = {f.name for f in dataclasses.fields(Recipe)}
    for name in changes:
        if name not in model_fields | recipe_fields:
            choices = ", ".join(sorted(model_fields | recipe_fields))
            raise DesignError(f"no setting is called {name!r}; choices: {choices}")
    changes = {name: plain(name, value) for name, value in changes.items()}
    return (
        base.replace(**{k: v for k, v in changes.items() if k in model_fields}),
        recipe.replace(**{k: v for k, v in changes.items() if k in recipe_fields}),
    )


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """``["embed_dim=32", "pooling=mean"]`` to a dictionary; values are Python literals or plain words.

    Raises:
        DesignError: no ``=`` in it, or one name twice.
    """
    settings: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise DesignError(f"--set {text!r}: write NAME=VALUE, for example --set embed_dim=32")
        name = name.strip()
        if name in settings:
            raise DesignError(
                f"--set {name} is given twice, {shown(settings[name])} and {value.strip()}: leave one out"
            )
        settings[name] = literal(value)
    return settings


def literal(text: str) -> Any:
    """A Python literal, else the words as they are: ``"(7, 14)" -> (7, 14)``, ``"mean" -> "mean"``."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # all that literal_eval raises
        return text.strip()


def slug(value: Any) -> str:
    """A value as part of a name: no slash, no space, no bracket."""
    return str(value).replace(", ", "x").strip("()[]").replace("/", "_")
