"""What a study is: factors times seeds around a base, expanded to cells and trials with content hashes."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from studies.data import DataSet
from studies.recipe import Recipe, RecipeError
from vit import ConfigError, Registry, ViTConfig

STUDIES: Registry[Study] = Registry("study")

# Raise it when the meaning of a trial changes, a default for example: fields at their default are left out of
# the hash, so that a new field does not make every finished trial a stranger
HASH_VERSION = 2


class DesignError(ValueError):
    """A study that cannot be run as asked; the message names the value, the choices and the fix."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """A declaration: which factors vary around which base, trained how, with how many seeds.

    Args:
        name: as typed on the command line.
        question: one sentence, shown in lists and above the tables.
        base: the model in which every factor is at its baseline level.
        recipe: shared by all arms.
        factors: field of ViTConfig or Recipe -> its levels; crossed with each other. A registry of
            components stands for all its names.
        seeds: how many.
        dataset: a name in ``DATASETS``.
        quick: recipe changes of ``--quick``.
        quick_seeds: seeds of ``--quick``.
    """

    name: str
    question: str
    base: ViTConfig
    recipe: Recipe
    factors: Mapping[str, Iterable[Any]]
    seeds: int = 5
    dataset: str = "mnist"
    quick: Mapping[str, Any] = field(default_factory=dict)
    quick_seeds: int = 1

    def as_quick(self) -> Study:
        """The same table from less training, under a name of its own."""
        return dataclasses.replace(
            self,
            name=f"{self.name}-quick",
            recipe=self.recipe.replace(**self.quick),
            seeds=min(self.seeds, self.quick_seeds),
        )

    def with_settings(self, settings: Mapping[str, Any]) -> Study:
        """Change fields of model or recipe for all arms; a factor is fixed at the level given.

        The name takes up the settings, so that results of different settings never mix.

        Raises:
            DesignError: no such field.
            ConfigError, RecipeError: an impossible value.
        """
        if not settings:
            return self
        base, recipe = apply(self.base, self.recipe, settings)
        factors = {name: levels for name, levels in self.factors.items() if name not in settings}
        suffix = "".join(f"+{name}={_slug(value)}" for name, value in settings.items())
        return dataclasses.replace(self, name=self.name + suffix, base=base, recipe=recipe, factors=factors)


@dataclass(frozen=True)
class Cell:
    """One arm: a name, its level of every factor, and what to train; ``reason`` says why it cannot be."""

    name: str
    levels: Mapping[str, Any]
    config: ViTConfig | None
    recipe: Recipe
    dataset: str
    reason: str | None = None

    @property
    def content_hash(self) -> str:
        """16 hex digits of everything that decides the outcome but the seed."""
        assert self.config is not None, self.reason
        content = [HASH_VERSION, self.dataset, _set_fields(self.config), _set_fields(self.recipe)]
        return _digest(content)


@dataclass(frozen=True)
class Trial:
    """One cell trained from one seed."""

    cell: Cell
    seed: int

    @property
    def content_hash(self) -> str:
        """16 hex digits: the identity of the trial in the ledger."""
        return _digest([self.cell.content_hash, self.seed])

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.cell.name} seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """A study expanded for one device; it can be written to JSON and read back without the catalog."""

    study: str
    question: str
    dataset: str
    device: str
    factors: Mapping[str, list[Any]]
    baseline: str
    cells: list[Cell]
    seeds: list[int]

    @property
    def folder(self) -> str:
        """Name of the results folder."""
        return f"{self.study}-{self.dataset}-{self.device.split(':')[0]}"

    @property
    def runnable(self) -> list[Cell]:
        """Cells that can be trained."""
        return [cell for cell in self.cells if cell.config is not None]

    @property
    def trials(self) -> list[Trial]:
        """Seed by seed, so that an interrupted study is balanced over its cells."""
        return [Trial(cell, seed) for seed in self.seeds for cell in self.runnable]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        out: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return out

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Plan:
        """The inverse of ``to_json``."""
        cells = [_cell_from_json(cell) for cell in content["cells"]]
        factors = {name: [_level(v) for v in levels] for name, levels in content["factors"].items()}
        return Plan(**{**content, "cells": cells, "factors": factors})


def expand(study: Study, device: str) -> Plan:
    """Cross the factors; impossible combinations become cells with a reason.

    Raises:
        DesignError: not one combination is possible, or the baseline is not.
    """
    factors = {name: list(levels) for name, levels in study.factors.items()}
    cells = list(_cells(study, factors))
    baseline = _name({name: _value(study.base, study.recipe, name) for name in factors})
    by_name = {cell.name: cell for cell in cells}
    if baseline not in by_name:
        raise DesignError(f"the baseline {baseline!r} of {study.name!r} is not among its cells")
    if reason := by_name[baseline].reason:
        raise DesignError(f"the baseline {baseline!r} of {study.name!r} cannot be built: {reason}")
    return Plan(study.name, study.question, study.dataset, device, factors, baseline, cells, list(range(study.seeds)))


def check_data(plan: Plan, data: DataSet) -> None:
    """Refuse arms whose model does not take these images or labels.

    Raises:
        DesignError: names the field, its value and the one that fits.
    """
    c, h, w = data.image_shape
    for cell in plan.runnable:
        assert cell.config is not None
        for name, found, fits in (
            ("in_channels", cell.config.in_channels, c),
            ("image_size", cell.config.image_shape, (h, w)),
            ("num_classes", cell.config.num_classes, data.num_classes),
        ):
            if found != fits:
                raise DesignError(f"{name}={found} of {cell.name!r} does not fit {data.name}: use {fits}")


def apply(base: ViTConfig, recipe: Recipe, changes: Mapping[str, Any]) -> tuple[ViTConfig, Recipe]:
    """Change fields of either by name.

    Raises:
        DesignError: neither has such a field.
        ConfigError, RecipeError: an impossible value.
    """
    model_fields = {f.name for f in dataclasses.fields(ViTConfig)}
    recipe_fields = {f.name for f in dataclasses.fields(Recipe)}
    for name in changes:
        if name not in model_fields | recipe_fields:
            choices = ", ".join(sorted(model_fields | recipe_fields))
            raise DesignError(f"no setting is called {name!r}; choices: {choices}")
    return (
        base.replace(**{k: v for k, v in changes.items() if k in model_fields}),
        recipe.replace(**{k: v for k, v in changes.items() if k in recipe_fields}),
    )


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """``["embed_dim=32", "pooling=mean"]`` to a dictionary; values are Python literals or plain words.

    Raises:
        DesignError: no ``=`` in it.
    """
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise DesignError(f"--set {text!r}: write NAME=VALUE, for example --set embed_dim=32")
        try:
            settings[name.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # all that literal_eval raises
            settings[name.strip()] = value.strip()
    return settings


def _cells(study: Study, factors: Mapping[str, list[Any]]) -> Iterator[Cell]:
    for combination in itertools.product(*factors.values()):
        levels = dict(zip(factors, combination, strict=True))
        try:
            config, recipe = apply(study.base, study.recipe, levels)
        except (ConfigError, RecipeError) as error:
            yield Cell(_name(levels), levels, None, study.recipe, study.dataset, str(error))
        else:
            yield Cell(_name(levels), levels, config, recipe, study.dataset)


def _value(base: ViTConfig, recipe: Recipe, name: str) -> Any:
    return getattr(base if hasattr(base, name) else recipe, name)


def _name(levels: Mapping[str, Any]) -> str:
    return "/".join(_slug(level) for level in levels.values()) or "baseline"


def _slug(value: Any) -> str:
    return str(value).replace(", ", "x").strip("()[]").replace("/", "_")


def _set_fields(described: ViTConfig | Recipe) -> dict[str, Any]:
    """Fields that differ from their default."""
    values = {f.name: (getattr(described, f.name), f.default) for f in dataclasses.fields(described)}
    return {name: value for name, (value, default) in values.items() if value != default}


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _cell_from_json(content: Mapping[str, Any]) -> Cell:
    config = None if content["config"] is None else ViTConfig(**content["config"])
    levels = {name: _level(value) for name, value in content["levels"].items()}
    return Cell(**{**content, "levels": levels, "config": config, "recipe": Recipe(**content["recipe"])})


def _level(value: Any) -> Any:
    """JSON has no tuples."""
    return tuple(value) if isinstance(value, list) else value
