"""What a search may vary: ranges of numbers and lists of choices, by field of model or recipe."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studies.design.levels import DesignError
from studies.training.recipe import Recipe

RATE_FACTOR, DECAY_FACTOR = 5.0, 10.0
MOST_DECAY = 0.1
"""Of a recipe without weight decay, whose neighbourhood no factor spans."""


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, whole ones if both are; ``log``: evenly by their logarithm.

    Raises:
        DesignError: an empty range, or a logarithm of what has none.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise DesignError(f"a range from {self.low} to {self.high} is empty: low must be below high, both finite")
        if self.log and self.low <= 0:
            raise DesignError(f"a logarithmic range cannot begin at {self.low}: begin above 0, or leave log out")

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def at(self, share: float) -> float:
        """The number so far along the range, from 0 at its beginning to 1 at its end."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        value = low + share * (high - low)
        value = math.exp(value) if self.log else value
        return round(value) if self.whole else value


@dataclass(frozen=True)
class Choice:
    """One of these values.

    Raises:
        DesignError: there is none, or one stands there twice.
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        if not self.values or len(set(self.values)) != len(self.values):
            raise DesignError(f"choices {self.values} must be one value or more, each once")


Domain = Range | Choice
Space = Mapping[str, Domain]


def around(recipe: Recipe) -> dict[str, Domain]:
    """The neighbourhood of a recipe that every arm is tuned in: learning rate and weight decay, by factors."""
    rate, decay = recipe.learning_rate, recipe.weight_decay
    return {
        "learning_rate": Range(rate / RATE_FACTOR, rate * RATE_FACTOR, log=True),
        "weight_decay": Range(decay / DECAY_FACTOR, decay * DECAY_FACTOR, log=True)
        if decay
        else Range(0.0, MOST_DECAY),
    }


def to_json(space: Space) -> dict[str, Any]:
    """Plain JSON types."""
    return {name: json.loads(json.dumps(dataclasses.asdict(domain))) for name, domain in space.items()}


def from_json(content: Mapping[str, Any]) -> dict[str, Domain]:
    """The inverse of ``to_json``."""
    return {
        name: Choice(tuple(map(_value, domain["values"]))) if "values" in domain else Range(**domain)
        for name, domain in content.items()
    }


def digest(space: Space) -> str:
    """8 hex digits: a stored Optuna study refuses other choices, so each space has a study of its own."""
    return hashlib.sha256(json.dumps(to_json(space), sort_keys=True).encode()).hexdigest()[:8]


def _value(value: Any) -> Any:
    """JSON has no tuples."""
    return tuple(value) if isinstance(value, list) else value
