"""From the URL of a storage to an open one. The embedded default is one SQLite file; nothing needs to be set up.

A file is looked at before Optuna is: opening a storage of Optuna adds its tables, to another program's file too.
Paths are given to SQLite as ``file:`` URIs, so that ``?``, ``#``, ``%`` and ``{x}`` in them are only letters.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from platform import node

import optuna
from filelock import FileLock, Timeout
from optuna.storages import RDBStorage
from sqlalchemy import create_engine, func, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from studies.ledger.entries import LedgerError
from studies.ledger.urls import file_of, shown

FORMAT = 3
"""How a study is written down: 1 had one measurement of all cells, 2 one a cell, 3 has
parameters of Optuna's and leases; older ones are read and go on."""
MARK = "vit-ablate"
"""The attribute of a study that says it is ours, and its format; studies of format 1 have none, but a plan."""
WAIT_SECONDS = 60  # for another process that writes
CONNECTING = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "tcp_user_timeout": 30_000}
"""A link that was cut is noticed."""
MAKING = 0x76697461
"""The advisory lock of whoever makes tables."""
NO_PASSWORD = "no password supplied"
"""What PostgreSQL says to who gives none and has to."""
SCHEMA = "compatible with the table schema"
"""What Optuna says of a storage of another version."""
TABLES = frozenset({"studies", "study_user_attributes", "trials", "trial_user_attributes", "version_info"})
OWNED = "SELECT key, value_json FROM study_user_attributes WHERE key IN (?, 'plan')"
FILLED = "SELECT (SELECT count(*) FROM trials) + (SELECT count(*) FROM study_user_attributes)"


def open_storage(url: URL, create: bool, read_only: bool = False) -> RDBStorage:
    """Open a storage; a file that cannot be written is opened for reading.

    Args:
        url: of the storage.
        create: make it if it does not exist; then it has to be writable.
        read_only: the database itself refuses to write.

    Raises:
        LedgerError: there is none, it belongs to another program or cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        file = file_of(url)
        if file is not None:
            return _open_file(file, create, read_only)
        storage = _open_server(url, create)
        storage.engine.update_execution_options(postgresql_readonly=read_only)
        return storage
    except LedgerError:
        raise
    except Exception as error:
        raise LedgerError(f"cannot open {shown(url)}: {_why(error, file is not None and create)}") from error


def _why(error: Exception, create: bool) -> str:
    if isinstance(error, ImportError):
        return "its driver is not installed: pip install 'vit-ablate[postgres]'"
    cause = str(error.__cause__ or error).splitlines()[0]
    if NO_PASSWORD in cause:
        return f"{cause}; set PGPASSWORD or write ~/.pgpass on {node()}: workers are not sent the password of a URL"
    if SCHEMA in cause:
        return f"{cause.strip()} (or name an empty database)"
    return f"{cause}; name a folder you can write with --results" if create else cause


def _open_server(url: URL, create: bool) -> RDBStorage:
    """Several that make the tables of one database at once do it one after another."""
    plain = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")  # Optuna formats it
    # one is kept open: of workers a server bears as many as connections
    options = {"pool_size": 1, "max_overflow": 3, "pool_pre_ping": True, "connect_args": CONNECTING}
    engine = create_engine(url, poolclass=NullPool, connect_args=CONNECTING)
    with engine.connect() as connection:
        if not create:
            if not set(inspect(connection).get_table_names()) >= TABLES:
                raise LedgerError(f"no study in {shown(url)}: start one with `vit-ablate run`")
            return RDBStorage(plain, options, skip_table_creation=True)
        connection.execute(select(func.pg_advisory_lock(MAKING)))  # given back with the connection
        return RDBStorage(plain, options)


def _open_file(file: Path, create: bool, read_only: bool) -> RDBStorage:
    if not create:
        if not file.exists():
            raise LedgerError(f"no study in {file.parent}: start one with `vit-ablate run`")
        return _open_known(file, can_write(file) and not read_only)
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and not can_write(file):
        raise PermissionError("it is there to be read only")
    try:
        with FileLock(file.with_suffix(".lock"), timeout=WAIT_SECONDS):  # several may make it at once
            return _open_known(file, writable=True)
    except Timeout:
        held = file.with_suffix(".lock")
        raise LedgerError(f"a run of an older vit-ablate holds {held}; stop it with Ctrl-C there") from None


def _open_known(file: Path, writable: bool) -> RDBStorage:
    if file.exists():
        _refuse_strangers(file)
    url = URL.create("sqlite", database=_uri(file), query={"uri": "true", "mode": "rwc" if writable else "ro"})
    return RDBStorage(
        url.render_as_string(),
        engine_kwargs={"connect_args": {"timeout": WAIT_SECONDS}},
        skip_table_creation=not writable,
    )


def can_write(file: Path) -> bool:
    """SQLite writes a journal beside its file."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def _uri(file: Path) -> str:
    return file.absolute().as_uri()


def _refuse_strangers(file: Path) -> None:
    """Look at a file as a reader, and write nothing.

    Raises:
        LedgerError: it is another program's, or of a format that is not known yet.
    """
    with closing(sqlite3.connect(f"{_uri(file)}?mode=ro", uri=True, timeout=WAIT_SECONDS)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return
        if not tables >= TABLES:
            names = ", ".join(sorted(tables)[:5])
            raise LedgerError(f"{file} is a database of another program (its tables: {names}); move it elsewhere")
        marks = dict(connection.execute(OWNED, [MARK]).fetchall())
        (rows,) = connection.execute(FILLED).fetchone()
    if not marks and rows:
        raise LedgerError(f"{file} is an Optuna storage of another program; move it elsewhere")
    check_format(json.loads(marks.get(MARK, "1")), str(file))


def check_format(made: int, what: str) -> None:
    """Refuse a format that is not known yet.

    Raises:
        LedgerError: says what to do.
    """
    if made > FORMAT:
        raise LedgerError(f"{what} was written by a newer vit-ablate (format {made}, known: {FORMAT}); update this one")
