"""Samplers and pruners by dotted name: those of Optuna, or of any module that can be imported."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from studies.design.space import Space
from studies.ledger.parameters import suggest

TPE, NSGA2, RANDOM = (f"optuna.samplers.{name}" for name in ("TPESampler", "NSGAIISampler", "RandomSampler"))
FRONT_DEFAULT = NSGA2
"""Of several objectives: the highest mean in results/published/bench-cpu/search.md; none is shown to be better."""
HALVING, NEVER = "optuna.pruners.SuccessiveHalvingPruner", "optuna.pruners.NopPruner"
Direction = Literal["maximize", "minimize"]
OURS: dict[str, dict[str, Any]] = {
    TPE: {"n_startup_trials": 5},  # a third of a usual budget, where Optuna's 10 would leave it a random search
    NSGA2: {"population_size": 12},  # a quarter of a usual budget; the first population is random
    HALVING: {"min_resource": 1, "reduction_factor": 2},
}
"""Arguments that differ from Optuna's defaults."""
TRIED = 3
"""Trials by which a sampler is tried: some import what they need only when they have seen one."""


class SearchError(ValueError):
    """A sampler or pruner that cannot be used; the message says why and what to name instead."""


@dataclass(frozen=True)
class Method:
    """How a search samples and prunes, by dotted names; objects are made anew wherever they are needed.

    Raises:
        SearchError: by `check`, nothing of that name, or not of that kind.
    """

    sampler_name: str = TPE
    pruner_name: str = HALVING

    def sampler(self, seed: int) -> BaseSampler:
        """Drawing from this seed."""
        made: BaseSampler = _made("sampler", self.sampler_name, BaseSampler, seed)
        return made

    def pruner(self) -> BasePruner:
        """By which hopeless trials are given up."""
        made: BasePruner = _made("pruner", self.pruner_name, BasePruner)
        return made

    def check(self, space: Space, directions: Sequence[Direction] = ("maximize",)) -> None:
        """Refuse, before anything runs, what cannot sample this space towards these directions.

        Raises:
            SearchError: names what was wrong.
        """
        self.pruner()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(directions=list(directions), sampler=self.sampler(0))
        try:
            for value in range(TRIED):
                trial = study.ask()
                for name, domain in space.items():
                    suggest(trial, name, domain)
                study.tell(trial, [float(value)] * len(directions))
        except Exception as error:  # whatever a foreign sampler raises
            raise SearchError(f"--sampler {self.sampler_name} cannot search here: {_why(error)}") from error


def _made(kind: str, dotted: str, base: type, seed: int | None = None) -> Any:
    module, _, name = dotted.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name) if module else None
    except (ImportError, AttributeError) as error:
        raise SearchError(f"--{kind} {dotted}: {error}; {_example(kind)}") from None
    if not (inspect.isclass(found) and issubclass(found, base)):
        raise SearchError(f"--{kind} {dotted} is no {kind} of Optuna; {_example(kind)}")
    words = dict(OURS.get(dotted, {}))
    if seed is not None and "seed" in inspect.signature(found).parameters:
        words["seed"] = seed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return found(**words)
    except Exception as error:  # whatever a foreign class raises
        raise SearchError(
            f"--{kind} {dotted}: {_why(error)}; name one that can be made without arguments, such as one of your own"
        ) from error


def _why(error: Exception) -> str:
    """What was wrong, in one line, with the command that brings a package that is missing."""
    said = " ".join(str(error).split())
    package = (getattr(error, "name", None) or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return f"{said}; python3 -m pip install {package} brings it" if package else said


def _example(kind: str) -> str:
    example = {"sampler": "optuna.samplers.CmaEsSampler", "pruner": "optuna.pruners.MedianPruner"}[kind]
    return f"write a class by its dotted name, such as {example}"
