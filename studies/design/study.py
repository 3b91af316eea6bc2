"""A study: factors times seeds around a base model and recipe."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from studies.design.checking import check
from studies.design.designs import FULL
from studies.design.levels import shown
from studies.design.settings import DesignError, apply, slug
from studies.design.space import Space
from studies.statistics.question import ACCURACY, Question
from studies.training.recipe import Recipe
from studies.trial.setup import Setup
from vit import Registry, ViTConfig

STUDIES: Registry[Study] = Registry("study")
MOST_SEEDS = 10_000
KINDS = {
    "question": str, "base": ViTConfig, "recipe": Recipe, "factors": Mapping, "dataset": str, "quick": Mapping,
    "compares": Question,
}  # fmt: skip
NAME = re.compile(r"[^\W_][\w.+=(),~ -]{0,199}")  # letters of any script; then what settings add to it


@dataclass(frozen=True, kw_only=True)
class Study:
    """A declaration: which factors vary around which base, trained how, with how many seeds.

    Args:
        name: as typed on the command line.
        question: one sentence, shown in lists and above the tables.
        base: the model in which every factor is at its baseline level.
        recipe: shared by all arms.
        factors: field of ViTConfig or Recipe -> its levels, combined as ``design`` says. A registry of
            components stands for all its names.
        seeds: how many.
        dataset: a name that ``studies.data.load`` takes.
        quick: recipe changes of ``--quick``.
        quick_seeds: seeds of ``--quick``.
        compares: the metric by which arms are compared, and on which terms.
        search: what ``--tune`` may vary in every arm beside learning rate and weight decay, or other bounds of these.
        objectives: search for the best trade-offs in ``search`` and confirm them, instead of comparing levels.
        design: which combinations are run, an entry of ``designs.DESIGNS``.

    Raises:
        DesignError: it cannot be run.
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
    compares: Question = ACCURACY
    search: Space = field(default_factory=dict)
    design: str = FULL
    objectives: bool = False

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and NAME.fullmatch(self.name)):
            raise DesignError(f"study name {shown(self.name)}: use at most 200 letters, digits, '-', '_' and '.'")
        for name in ("seeds", "quick_seeds"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= MOST_SEEDS:
                raise DesignError(f"{name}={shown(value)} of {self.name!r}: give a number from 1 to {MOST_SEEDS:,}")
        for name, kind in KINDS.items():
            if not isinstance(getattr(self, name), kind):
                raise DesignError(f"{name}={shown(getattr(self, name))} of {self.name!r} must be a {kind.__name__}")
        check(self)

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
        suffix = "".join(f"+{name}={slug(value)}" for name, value in settings.items())
        return dataclasses.replace(self, name=self.name + suffix, base=base, recipe=recipe, factors=factors)


def named_by_content(study: Study) -> Study:
    """The study under its name, ``~``, and 8 hex digits of all that decides its arms.

    So two studies of one name, or one before and after an edit that changes its arms, never share a ledger. More
    seeds, another question or another ``quick`` are the same study.
    """
    content = [
        Setup(study.base, study.recipe, study.dataset).content_hash,
        {name: list(levels) for name, levels in study.factors.items()},
        dataclasses.asdict(study.compares),
        study.design,
    ]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]
    return dataclasses.replace(study, name=f"{study.name}~{digest}")
