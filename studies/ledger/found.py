"""What a storage knows of searches: every Optuna study that is one, and its trials."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from studies.design import space
from studies.ledger.attempts import TRACE
from studies.ledger.ledger import Ledger
from studies.ledger.parameters import decoded

ABOUT = "vit-ablate search"
"""The attribute of an Optuna study that says what it searches for, and in whose ledger."""
STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting"}
INTERRUPTED = "interrupted"
LEAST_FOR_IMPORTANCE = 10
"""Trials."""


@dataclass(frozen=True)
class Found:
    """One trial of a search.

    Args:
        number: Optuna's.
        place: which of the budget it is; one that was interrupted leaves its place to the next.
        state: ``complete``, ``pruned``, ``failed`` or ``running``.
        settings: fields of model and recipe.
        values: one an objective; of a pruned one, the last of its curve.
        record: what training left.
        reason: why it failed or was not trained.
        trial_id: of the storage, in which no other has it.
        trace: the traceback of the error that ended it, if any.
    """

    number: int
    place: int
    state: str
    settings: dict[str, Any]
    values: list[float]
    record: dict[str, Any]
    reason: str | None
    trial_id: int = -1
    trace: str | None = None

    @property
    def over(self) -> bool:
        """Whether it took its place of the budget."""
        return self.state in ("complete", "pruned", "failed") and self.reason != INTERRUPTED


def searches(ledger: Ledger) -> Iterator[tuple[dict[str, Any], list[Found]]]:
    """Every search of a ledger: what it is about, and its trials."""
    for about, study in _own(ledger):
        domains = space.from_json(about["space"])
        yield about, [found_of(trial, domains) for trial in study.get_trials(deepcopy=False)]


def _own(ledger: Ledger) -> Iterator[tuple[dict[str, Any], optuna.Study]]:
    """Optuna's summaries would read every trial of every study for this."""
    for one in ledger.storage.get_all_studies():
        about = one.user_attrs.get(ABOUT)
        if about and about["ledger"] == ledger.name:
            yield about, optuna.load_study(study_name=one.study_name, storage=ledger.storage)


def importances(ledger: Ledger) -> dict[str, dict[str, float]]:
    """Of a search with several objectives: by objective, the share of each parameter (PED-ANOVA); empty if too few.

    Importance says what moved an objective over the trials that a sampler chose. It is no effect of an ablation.
    """
    found = {}
    for _, study in _own(ledger):
        if len(study.directions) > 1:
            for i, name in enumerate(study.metric_names or ()):
                found[name] = _importance(study, i)
    return {name: shares for name, shares in found.items() if shares}


def _importance(study: optuna.Study, place: int) -> dict[str, float]:
    complete = [trial for trial in study.get_trials(deepcopy=False) if trial.state is TrialState.COMPLETE]
    if len(complete) < LEAST_FOR_IMPORTANCE:
        return {}
    sign = -1.0 if study.directions[place] is optuna.study.StudyDirection.MAXIMIZE else 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that low is good: hence the sign
        return optuna.importance.get_param_importances(study, target=lambda trial: sign * trial.values[place])


def found_of(trial: FrozenTrial, domains: space.Space) -> Found:
    """A trial as the storage has it."""
    attrs = trial.user_attrs
    settings = {}
    for name, domain in domains.items():
        label = next((label for label in trial.params if label.split("[")[0] == name), None)
        if label is not None:
            settings[name] = decoded(domain, trial.params[label])
    values = [float(value) for value in trial.values or ()]
    return Found(
        trial.number,
        attrs.get("place", -1),
        STATES[trial.state.name],
        settings,
        values,
        attrs.get("record", {}),
        attrs.get("reason"),
        trial._trial_id,
        attrs.get(TRACE),
    )
