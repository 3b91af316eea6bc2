"""The ranges of a study's parameters, kept in its storage; see ``space`` for what they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from optuna.distributions import CategoricalDistribution, IntDistribution, distribution_to_json
from sqlalchemy import Connection, Float, Update, case, cast, select, update

from studies.ledger import notes
from studies.ledger.space import Space, Value, Values, from_json, grown, number_of, to_json
from studies.ledger.transactions import PARAMS, SYSTEM_NOTES, TRIALS

SPACE = "vit-ablate:space"
"""The attribute of a study that has them."""


def read_space(connection: Connection, study_id: int) -> Space:
    """By the name of the parameter."""
    return from_json(notes.read(connection, study_id, SPACE, SYSTEM_NOTES).get(SPACE, {}))


def grow_space(connection: Connection, study_id: int, values: Values, factors: Iterable[str]) -> Space:
    """Make room for further values, also in the rows that are there; returns the space."""
    known, factors = read_space(connection, study_id), frozenset(factors)
    space = dict(known)
    for name, more in values.items():
        before, wider = known.get(name), grown(name, known.get(name), more, name in factors)
        if before is None or before == wider:
            space[name] = wider
            continue
        if isinstance(wider, CategoricalDistribution) and not isinstance(before, CategoricalDistribution):
            numbers = _stored(connection, study_id, name)
            old: list[Value] = [int(n) if isinstance(before, IntDistribution) else n for n in numbers]
            wider = grown(name, None, [*old, *more], factor=True)
            if numbers:
                places = case({number: float(i) for i, number in enumerate(numbers)}, value=PARAMS.c.param_value)
                connection.execute(_of(study_id, name).values(param_value=cast(places, Float)))
        connection.execute(_of(study_id, name).values(distribution_json=distribution_to_json(wider)))
        space[name] = wider
    if space != known:
        notes.write(connection, study_id, {SPACE: to_json(space)}, SYSTEM_NOTES)
    return space


def param_rows(trial_id: int, params: Mapping[str, Value], space: Space) -> list[dict[str, Any]]:
    """The parameters of a trial as Optuna stores them."""
    return [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": number_of(value, space[name]),
            "distribution_json": distribution_to_json(space[name]),
        }
        for name, value in params.items()
    ]


def _of(study_id: int, name: str) -> Update:
    """The rows of one parameter, to be changed."""
    ours = select(TRIALS.c.trial_id).where(TRIALS.c.study_id == study_id)
    return update(PARAMS).where(PARAMS.c.param_name == name, PARAMS.c.trial_id.in_(ours))


def _stored(connection: Connection, study_id: int, name: str) -> list[float]:
    """The numbers that one parameter has in the rows, in rising order."""
    ours = select(TRIALS.c.trial_id).where(TRIALS.c.study_id == study_id)
    rows = select(PARAMS.c.param_value).where(PARAMS.c.param_name == name, PARAMS.c.trial_id.in_(ours)).distinct()
    return list(connection.execute(rows.order_by(PARAMS.c.param_value)).scalars())
