"""A study expanded: plan, cells and trials."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from studies.design import space
from studies.design.designs import FULL, RESOLUTIONS
from studies.design.levels import DesignError, levels_of, plain, shown
from studies.statistics.question import ACCURACY, Question
from studies.training.recipe import Recipe
from studies.trial.setup import Setup, trial_hash
from vit import ViTConfig


@dataclass(frozen=True)
class Cell:
    """One arm: a name, its level of every factor, and what to train, or the ``reason`` why it cannot be."""

    name: str
    levels: Mapping[str, Any]
    setup: Setup | None
    reason: str | None = None

    @property
    def to_train(self) -> Setup:
        """What to train; only a cell that can be has it."""
        assert self.setup is not None, f"{self.name} cannot be trained: {self.reason}"
        return self.setup

    @property
    def config(self) -> ViTConfig:
        """Of ``to_train``."""
        return self.to_train.config

    @property
    def recipe(self) -> Recipe:
        """Of ``to_train``."""
        return self.to_train.recipe

    @property
    def dataset(self) -> str:
        """Of ``to_train``."""
        return self.to_train.dataset

    @cached_property
    def content_hash(self) -> str:
        """Of ``to_train``; reckoned once, since every trial asks."""
        return self.to_train.content_hash

    def to_json(self) -> dict[str, Any]:
        """Plain but for tuples; the fields of the setup lie beside those of the cell."""
        setup = dict.fromkeys(("config", "recipe", "dataset")) if self.setup is None else dataclasses.asdict(self.setup)
        return {"name": self.name, "levels": dict(self.levels), **setup, "reason": self.reason}

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Cell:
        """The inverse of ``to_json``."""
        levels = {name: plain(name, _level(value)) for name, value in content["levels"].items()}
        if content["config"] is None:
            return Cell(content["name"], levels, None, content["reason"])
        setup = Setup(ViTConfig(**content["config"]), Recipe(**content["recipe"]), content["dataset"])
        return Cell(content["name"], levels, setup, content["reason"])


@dataclass(frozen=True)
class Trial:
    """One cell trained from one seed."""

    cell: Cell
    seed: int

    @property
    def setup(self) -> Setup:
        """What to train."""
        return self.cell.to_train

    @cached_property
    def content_hash(self) -> str:
        """16 hex digits: the identity of the trial in the ledger."""
        return trial_hash(self.cell.content_hash, self.seed)

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
    compares: Question = ACCURACY
    search: space.Space = field(default_factory=dict)
    """What its arms may be tuned in, beside learning rate and weight decay; or what a search may vary."""
    design: str = FULL
    objectives: bool = False
    """Whether its arms are what a search for trade-offs found."""

    @property
    def folder(self) -> str:
        """Name of the results folder."""
        return f"{self.study}-{self.dataset}-{self.device.split(':')[0]}"

    @property
    def runnable(self) -> list[Cell]:
        """Cells that can be trained."""
        return [cell for cell in self.cells if cell.setup is not None]

    @property
    def baseline_cell(self) -> Cell:
        """The arm that all others are compared with."""
        return next(cell for cell in self.cells if cell.name == self.baseline)

    @property
    def is_fraction(self) -> bool:
        """Whether the design leaves combinations out in which every level would meet the others' equally often."""
        full = math.prod(len(levels) for levels in self.factors.values())
        return self.design in RESOLUTIONS and len(self.cells) < full

    @property
    def balanced(self) -> bool:
        """Whether the arms are a fraction in which every level of a factor meets the others' levels equally often."""
        return self.is_fraction and len(self.runnable) == len(self.cells)

    @property
    def trials(self) -> list[Trial]:
        """Seed by seed, so that an interrupted study is balanced over its cells; of two equal arms, the first's."""
        different = {cell.to_train: cell for cell in reversed(self.runnable)}
        cells = [cell for cell in self.runnable if different[cell.to_train] is cell]
        return [Trial(cell, seed) for seed in self.seeds for cell in cells]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        cells = [cell.to_json() for cell in self.cells]
        fields |= {"cells": cells, "compares": dataclasses.asdict(self.compares), "search": space.to_json(self.search)}
        out: dict[str, Any] = json.loads(json.dumps(fields))
        return out

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Plan:
        """The inverse of ``to_json``.

        Raises:
            DesignError: no plan, or that of another version.
        """
        try:
            cells = [Cell.from_json(cell) for cell in content["cells"]]
            factors = levels_of({name: [_level(v) for v in levels] for name, levels in content["factors"].items()})
            compares = Question(**content.get("compares", {}))  # plans of before had one for all
            search = space.from_json(content.get("search", {}))
            plan = Plan(**{**content, "cells": cells, "factors": factors, "compares": compares, "search": search})
            _check(plan)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            what += "; a plug-in's? Name it, too: --plugin my_scheme.py" if what.startswith("unknown ") else ""
            raise DesignError(f"this is no plan of a study that this version reads: {what}") from error
        return plan


def _level(value: Any) -> Any:
    """JSON has no tuples."""
    return tuple(map(_level, value)) if isinstance(value, list) else value


def _check(plan: Plan) -> None:
    """Refuse what would only fail later, and elsewhere."""
    names = [cell.name for cell in plan.cells]
    for name in ("study", "question", "dataset", "device", "baseline"):
        if not isinstance(getattr(plan, name), str):
            raise ValueError(f"{name}={shown(getattr(plan, name))} is no text")
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError("its arms have no names, or one name twice")
    if plan.baseline not in names or plan.baseline_cell.setup is None:
        raise ValueError(f"the baseline {plan.baseline!r} is not among its arms that can be")
    seeds = plan.seeds
    if not isinstance(seeds, list) or not all(type(seed) is int for seed in seeds) or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds={shown(seeds)} are no list of different whole numbers")


def fixed_facts(plan: Plan) -> dict[str, Any]:
    """Fields of model and recipe that no factor varies, nor tuning."""
    arms = [{**dataclasses.asdict(cell.config), **dataclasses.asdict(cell.recipe)} for cell in plan.runnable]
    fields = arms[[cell.name for cell in plan.runnable].index(plan.baseline)]
    return {
        name: value
        for name, value in fields.items()
        if name not in plan.factors and all(arm[name] == value for arm in arms)
    }
