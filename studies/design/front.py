"""A search for the best trade-offs: its limits, what can be in its space, and the plan that confirms its front."""

from __future__ import annotations

import dataclasses
import itertools
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from studies.design.levels import BASELINE
from studies.design.plan import Cell, Plan
from studies.design.settings import DesignError, apply
from studies.design.space import Choice, Range
from studies.training.recipe import RecipeError
from studies.trial.setup import Setup
from vit import ConfigError

OBJECTIVES: dict[str, Literal["maximize", "minimize"]] = {
    "val_accuracy": "maximize",
    "train_seconds": "minimize",
    "infer_images_per_second": "maximize",
    "gpu_memory_mib": "minimize",
}
"""What a search trades off: accuracy on validation; one core's training time; one core's throughput; peak memory of
training on a GPU, measured or predicted. All but accuracy follow from the shape alone and are measured once for it."""
CONFIGURATION = "configuration"
UNITS = {"": 1.0, "k": 1e3, "M": 1e6}
BYTES = {"KiB": 2**-10, "MiB": 1.0, "GiB": 2**10}


@dataclass(frozen=True)
class Limits:
    """What no configuration may exceed.

    Args:
        params: parameters at most.
        memory_mib: peak GPU memory of training at most, in MiB.
        throughput: inference images per second of one thread at least.
    """

    params: float | None = None
    memory_mib: float | None = None
    throughput: float | None = None

    def excess(self, facts: Mapping[str, float]) -> dict[str, float]:
        """By limit, how far it is exceeded, as a share of it; 0 or less is within."""
        kinds = {
            "params": ("params", 1),
            "memory_mib": ("gpu_memory_mib", 1),
            "throughput": ("infer_images_per_second", -1),
        }
        return {
            name: sign * (facts[key] / bound - 1)
            for name, (key, sign) in kinds.items()
            if (bound := getattr(self, name)) is not None and key in facts
        }


def number_of(text: str, option: str) -> float:
    """``50k`` or ``20000``.

    Raises:
        DesignError: neither, or nothing.
    """
    return _scaled(text, option, UNITS, "a number such as 50000, 50k or 1.5M")


def mib_of(text: str, option: str) -> float:
    """``200MiB`` or ``1.5GiB``, in MiB.

    Raises:
        DesignError: neither, or nothing.
    """
    return _scaled(text, option, BYTES, "a size such as 200MiB or 1.5GiB")


class Admissible:
    """Which choices leave a possible configuration, so that no impossible one is ever sampled.

    Args:
        plan: whose baseline the settings change.

    Raises:
        DesignError: a name that no setting has, or not one combination is possible.
    """

    def __init__(self, plan: Plan) -> None:
        self.base, self.space = plan.baseline_cell, plan.search
        self.known: dict[tuple[tuple[str, Any], ...], bool] = {}
        for name, domain in self.space.items():
            if not self.choices(name, domain, {}):
                raise DesignError(f"no value of {name!r} in the space of {plan.study!r} gives a possible model")

    def choices(self, name: str, domain: Choice | Range, chosen: Mapping[str, Any]) -> tuple[Any, ...]:
        """Of this setting, given others that were chosen before; of a range, its lower end if any value can be."""
        values = domain.values if isinstance(domain, Choice) else (domain.low,)
        return tuple(value for value in values if self._completes({**chosen, name: value}))

    def _completes(self, chosen: Mapping[str, Any]) -> bool:
        """Whether some values of all other settings go with these."""
        key = tuple(sorted(chosen.items(), key=lambda item: item[0]))
        if key not in self.known:
            others = {n: d.values for n, d in self.space.items() if n not in chosen and isinstance(d, Choice)}
            combinations = itertools.product(*others.values())
            self.known[key] = any(
                self._possible({**chosen, **dict(zip(others, values, strict=True))}) for values in combinations
            )
        return self.known[key]

    def _possible(self, settings: Mapping[str, Any]) -> bool:
        try:
            apply(self.base.config, self.base.recipe, settings)
        except (ConfigError, RecipeError):
            return False
        return True


def drawn(plan: Plan, count: int) -> list[Setup]:
    """Configurations drawn evenly from the space, the same every time: what a search may be about to train."""
    draw, admissible, base = random.Random(0), Admissible(plan), plan.baseline_cell
    found = []
    for _ in range(count):
        chosen: dict[str, Any] = {}
        for name, domain in plan.search.items():
            if isinstance(domain, Choice):
                chosen[name] = draw.choice(admissible.choices(name, domain, chosen))
            else:
                chosen[name] = domain.at(draw.random())
        found.append(Setup(*apply(base.config, base.recipe, chosen), plan.dataset))
    return found


def arm_of(number: int) -> str:
    """What the arm is called that a trial of the search becomes; Optuna knows it by the same number."""
    return f"trial-{number}"


def with_front(plan: Plan, points: Mapping[str, Mapping[str, Any]]) -> Plan:
    """The baseline and these settings, by name, as the arms of a plan, to be trained from fresh seeds and tested."""
    base = plan.baseline_cell
    cells = [dataclasses.replace(base, name=BASELINE, levels={CONFIGURATION: BASELINE})]
    for name, settings in points.items():
        setup = Setup(*apply(base.config, base.recipe, settings), plan.dataset)
        cells.append(Cell(name, {CONFIGURATION: name}, setup))
    return dataclasses.replace(plan, factors={CONFIGURATION: [BASELINE, *points]}, baseline=BASELINE, cells=cells)


def _scaled(text: str, option: str, units: Mapping[str, float], example: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    if not found or found[2] not in units or not float(found[1]):
        raise DesignError(f"{option} {text}: write {example}")
    return float(found[1]) * units[found[2]]
