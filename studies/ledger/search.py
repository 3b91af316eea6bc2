"""One search as a real Optuna study in the storage of a ledger: parameters, values, curves, states.

Whoever opens the storage with Optuna sees it whole: ``optuna.load_study(study_name=..., storage=...)``. Asking comes in
batches, each from a sampler seeded by what came before, so that an interrupted search goes on as it would have, and
the number of workers decides nothing. A stored study refuses other choices, so its name holds the digest of its space.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from studies.design import space
from studies.ledger.attempts import TRACE
from studies.ledger.found import ABOUT, INTERRUPTED, Found, found_of
from studies.ledger.leases import SIGN
from studies.ledger.ledger import Ledger
from studies.ledger.parameters import encoded, suggest
from studies.ledger.samplers import Direction, Method


class Search:
    """An Optuna study in the storage of a ledger, made if need be.

    Args:
        ledger: whose storage.
        topic: what is searched, for the study's name.
        objectives: name -> ``maximize`` or ``minimize``.
        domains: what is varied.
        method: sampler and pruner.
        about: kept as the attribute ``ABOUT``.
        admissible: of a setting, the choices that go with those chosen before; by default all.
    """

    def __init__(
        self,
        ledger: Ledger,
        topic: str,
        objectives: Mapping[str, Direction],
        domains: space.Space,
        method: Method,
        about: Mapping[str, Any],
        admissible: Callable[[str, space.Domain, Mapping[str, Any]], Sequence[Any]] | None = None,
    ) -> None:
        self.domains, self.method, self.admissible = domains, method, admissible
        self.study = optuna.create_study(
            study_name=f"{ledger.name}/{topic}@{space.digest(domains)}",
            storage=ledger.storage,
            directions=list(objectives.values()),
            pruner=method.pruner(),
            load_if_exists=True,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self.study.set_metric_names(list(objectives))
        facts = {"ledger": ledger.name, "space": space.to_json(domains), **about}
        if self.study.user_attrs.get(ABOUT) != facts:
            self.study.set_user_attr(ABOUT, facts)
        self._asked: dict[int, optuna.Trial] = {}
        self._limited: dict[int, set[str]] = {}

    def ask(self, places: Sequence[int], first: Sequence[Mapping[str, Any]] = ()) -> list[Found]:
        """Settings for these places of the budget; ``first`` are tried before anything is sampled."""
        self.study.sampler = self.method.sampler(self._seed(places[0]))
        for settings in first:
            self.study.enqueue_trial(self._params(settings))
        return [self._ask(place) for place in places]

    def complete(self, found: Found, values: Sequence[float], record: Mapping[str, Any]) -> None:
        """A trial ended as it should."""
        self.study.tell(self._kept(found, record), list(values))

    def prune(self, found: Found, record: Mapping[str, Any], reason: str | None = None) -> None:
        """A trial was given up."""
        self.study.tell(self._kept(found, record, reason), state=TrialState.PRUNED)

    def fail(self, found: Found, reason: str, record: Mapping[str, Any], trace: str | None = None) -> None:
        """A trial came to nothing; ``trace`` is the traceback of the error that ended it."""
        trial = self._kept(found, record, reason)
        if trace:
            trial.set_user_attr(TRACE, trace)
        self.study.tell(trial, state=TrialState.FAIL)

    def sign(self, found: Found, told: Mapping[str, Any]) -> None:
        """How far a trial is that was asked for here."""
        self.study._storage.set_trial_system_attr(self._asked[found.number]._trial_id, SIGN, dict(told))

    def recover(self) -> list[Found]:
        """Close what a dead run left, and ask the same settings for the same places again."""
        stale = [
            t for t in self.study.get_trials(deepcopy=False) if t.state in (TrialState.RUNNING, TrialState.WAITING)
        ]
        lost = [found_of(trial, self.domains) for trial in stale if trial.state is TrialState.RUNNING]
        for trial in stale:
            self.study._storage.set_trial_user_attr(trial._trial_id, "reason", INTERRUPTED)
            self.study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        whole = [found for found in lost if found.place >= 0 and len(found.settings) == len(self.domains)]
        again = []
        for found in whole:
            again += self.ask([found.place], [found.settings])
        return again

    def trials(self) -> list[Found]:
        """All, by number."""
        return [found_of(trial, self.domains) for trial in self.study.get_trials(deepcopy=False)]

    def watch(self, found: Found) -> Watch | None:
        """What tells a worker when this trial is hopeless, from those that are over; None if nothing is ever pruned."""
        if isinstance(self.study.pruner, optuna.pruners.NopPruner):
            return None
        before = [_bare(t) for t in self.study.get_trials(deepcopy=False) if t.number < found.number]
        return Watch(self.study.study_name, self.method, before)

    def _ask(self, place: int) -> Found:
        trial = self.study.ask()
        settings: dict[str, Any] = {}
        for name, domain in self.domains.items():
            settings[name] = suggest(trial, name, *self._narrowed(name, domain, settings))
        trial.set_user_attr("place", place)
        self._asked[trial.number] = trial
        return Found(trial.number, place, "running", settings, [], {}, None, trial._trial_id)

    def _params(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings as Optuna's parameters, by the names that they will be asked for under."""
        params, chosen = dict[str, Any](), dict[str, Any]()
        for name, value in settings.items():
            domain, label = self._narrowed(name, self.domains[name], chosen)
            params[label], chosen[name] = encoded(domain, value), value
        return params

    def _narrowed(self, name: str, domain: space.Domain, chosen: Mapping[str, Any]) -> tuple[space.Domain, str]:
        """The choices that can be, and the parameter's name: other choices are another parameter to Optuna."""
        if self.admissible is None or not isinstance(domain, space.Choice):
            return domain, name
        values = tuple(self.admissible(name, domain, chosen))
        return (domain, name) if values == domain.values else (space.Choice(values), f"{name}{list(values)}")

    def limit(self, found: Found, excess: Mapping[str, float]) -> None:
        """Tell samplers by how much limits are exceeded, each once; 0 or less is within."""
        trial = self._asked[found.number]
        told = self._limited.setdefault(found.number, set())
        for name in excess.keys() - told:
            trial.set_constraint(name, excess[name])
            told.add(name)

    def _kept(self, found: Found, record: Mapping[str, Any], reason: str | None = None) -> optuna.Trial:
        """The trial, with its curve where there is one objective: Optuna has none of several."""
        trial = self._asked.pop(found.number)
        trial.set_user_attr("record", dict(record))
        if reason is not None:
            trial.set_user_attr("reason", reason)
        for point in record.get("curve", ()) if len(self.study.directions) == 1 else ():
            trial.report(point["val_accuracy"], point["epoch"])
            trial.should_prune()  # pruners keep notes on the trial; the worker has decided already
        return trial

    def _seed(self, place: int) -> int:
        return int(hashlib.sha256(f"{self.study.study_name} {place}".encode()).hexdigest()[:8], 16)


class Watch:
    """Runs in a worker: asks the pruner after every epoch, knowing what was over when the trial was asked for."""

    def __init__(self, name: str, method: Method, before: Sequence[FrozenTrial]) -> None:
        self.name, self.method, self.before = name, method, before

    def __call__(self, epoch: int, value: float) -> bool:
        """Whether the trial is hopeless."""
        self._trial.report(value, epoch)
        return self._trial.should_prune()

    @cached_property
    def _trial(self) -> optuna.Trial:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler, pruner = optuna.samplers.RandomSampler(seed=0), self.method.pruner()
        study = optuna.create_study(study_name=self.name, direction="maximize", sampler=sampler, pruner=pruner)
        study.add_trials(self.before)  # all that were asked before, so that it gets its own number
        return study.ask()


def _bare(trial: FrozenTrial) -> FrozenTrial:
    """Without what no pruner reads."""
    return optuna.trial.create_trial(
        state=trial.state,
        params=trial.params,
        distributions=trial.distributions,
        system_attrs=trial.system_attrs,
        intermediate_values=trial.intermediate_values,
        values=trial.values,
    )
