"""The study in a storage: found, made if need be, and marked as ours."""

from __future__ import annotations

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import select
from sqlalchemy.engine import URL

from studies.ledger.attempts import BY_HASH, METRIC
from studies.ledger.entries import LedgerError
from studies.ledger.storages import FORMAT, MARK, check_format
from studies.ledger.transactions import STUDIES
from studies.ledger.urls import file_of, shown

METRIC_NAMES = "study:metric_names"
"""Where Optuna keeps them."""


def study_in(storage: RDBStorage, url: URL, name: str, create: bool) -> int:
    """The id of a study; one that is to be written is made if need be, and marked as of this format.

    Raises:
        LedgerError: there is none, another program's has this name, or it is of a format that is not known yet.
    """
    found = _find(storage, url, name)
    if found is None and not create:
        raise LedgerError(f"no study {name} in {shown(url)}: start one with `vit-ablate run`")
    if found is not None and file_of(url) is None:
        marks = storage.get_study_user_attrs(found)
        if not marks.keys() & {MARK, "plan"} and storage.get_n_trials(found):
            raise LedgerError(f"{name} in {shown(url)} is a study of another program; name another --storage")
        check_format(marks.get(MARK, 1), f"{name} in {shown(url)}")
    if not create:
        assert found is not None
        return found
    if found is None:
        made = optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)
        found = made._study_id
    with storage.engine.begin() as connection:
        connection.execute(BY_HASH)
    storage.set_study_system_attr(found, METRIC_NAMES, [METRIC])
    storage.set_study_user_attr(found, MARK, FORMAT)
    return found


def _find(storage: RDBStorage, url: URL, name: str) -> int | None:
    """By its name; the one that there is in an embedded storage."""
    rows = select(STUDIES.c.study_id).order_by(STUDIES.c.study_id)
    with storage.engine.connect() as connection:
        return connection.execute(rows if file_of(url) else rows.where(STUDIES.c.study_name == name)).scalar()
