"""Transactions on Optuna's tables, whatever database they are in.

SQLite knows no locks of rows, and a transaction that reads before it writes may find that another was faster: under
several writers Optuna's own calls run queued trials twice. Here whoever writes takes the right to write first; on a
server, the row of the study is what writers queue for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from optuna.storages._rdb import models
from sqlalchemy import Connection, DateTime, Engine, Function, Table, func, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError


def table(model: type) -> Table:
    """The table of one of Optuna's models."""
    found: Table = model.__table__  # type: ignore[attr-defined]
    return found


STUDIES, TRIALS = table(models.StudyModel), table(models.TrialModel)
PARAMS, VALUES = table(models.TrialParamModel), table(models.TrialValueModel)
CURVES, BEATS = table(models.TrialIntermediateValueModel), table(models.TrialHeartbeatModel)
ATTRS, SYSTEM_ATTRS = table(models.TrialUserAttributeModel), table(models.TrialSystemAttributeModel)
NOTES, SYSTEM_NOTES = table(models.StudyUserAttributeModel), table(models.StudySystemAttributeModel)


@contextmanager
def reading(engine: Engine, _study_id: int) -> Iterator[Connection]:
    """One look at the storage."""
    with engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine, _study_id: int) -> Iterator[Connection]:
    """All of it is written, or nothing."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()


@contextmanager
def alone(engine: Engine, study_id: int) -> Iterator[Connection]:
    """As ``writing``, and no other in this study meanwhile: for what depends on what is there already."""
    with writing(engine, study_id) as connection:
        connection.execute(select(STUDIES.c.study_id).where(STUDIES.c.study_id == study_id).with_for_update())
        yield connection


def clock(connection: Connection) -> Function[DateTime]:
    """The time as the database tells it, in UTC: the one clock that all drivers share."""
    if connection.dialect.name == "sqlite":
        return func.strftime("%Y-%m-%d %H:%M:%f000", "now", type_=DateTime())
    return func.timezone("utc", func.clock_timestamp(), type_=DateTime())


def is_away(error: DBAPIError) -> bool:
    """Whether a server cannot be reached for now, or asks to try again: restarting, too many connections, a deadlock.

    A file that cannot be read or written stays so.
    """
    lost = error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError))
    return lost and not str(type(error.orig).__module__).startswith("sqlite3")
