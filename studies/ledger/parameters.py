"""Settings as parameters of Optuna."""

from __future__ import annotations

from typing import Any

import optuna

from studies.design.settings import slug
from studies.design.space import Choice, Domain

SCALAR = (bool, int, float, str, type(None))
"""What Optuna stores as a choice; others stand there by name."""


def suggest(trial: optuna.Trial, name: str, domain: Domain, label: str | None = None) -> Any:
    """A value of the domain, as the trial's parameter ``label``, by default its name."""
    label = label or name
    if isinstance(domain, Choice):
        labels = [encoded(domain, value) for value in domain.values]
        return domain.values[labels.index(trial.suggest_categorical(label, labels))]
    if domain.whole:
        return trial.suggest_int(label, int(domain.low), int(domain.high), log=domain.log)
    return trial.suggest_float(label, domain.low, domain.high, log=domain.log)


def encoded(domain: Domain, value: Any) -> Any:
    """A value as Optuna stores it."""
    return value if not isinstance(domain, Choice) or isinstance(value, SCALAR) else slug(value)


def decoded(domain: Domain, stored: Any) -> Any:
    """The inverse of ``encoded``."""
    if not isinstance(domain, Choice):
        return stored
    return next((value for value in domain.values if encoded(domain, value) == stored), stored)
