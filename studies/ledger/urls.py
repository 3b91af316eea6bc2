"""Where a study is kept, as a URL: one SQLite file in a results folder, or a server that many machines share.

A password is never shown. It is better not typed either: PGPASSWORD and ~/.pgpass are where PostgreSQL looks for it.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from studies.ledger.entries import LedgerError

SECRETS = ("password", "sslpassword")
"""What PostgreSQL also takes behind a question mark."""
EXAMPLE = "postgresql+psycopg://USER@HOST/DATABASE"


def embedded(file: Path) -> URL:
    """The storage that is one SQLite file."""
    return URL.create("sqlite", database=str(file))


def file_of(url: URL) -> Path | None:
    """The file of an embedded storage; None if the storage is a server."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def shown(url: URL) -> str:
    """For messages: a path, or a URL without its password."""
    return str(file_of(url) or url.difference_update_query(SECRETS).render_as_string(hide_password=True))


def without_password(url: URL) -> str:
    """For other machines, each of which looks the password up for itself."""
    bare = url._replace(password=None)  # of `set`, None would mean that it stays
    return bare.difference_update_query(SECRETS).render_as_string()


def url_of(text: str) -> URL:
    """The URL of a server, as typed behind ``--storage``.

    Raises:
        LedgerError: it is none, or of a database that many machines cannot share; the text is not shown.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise LedgerError(f"--storage is no URL of a storage: write {EXAMPLE}") from None
    if url.get_backend_name() == "sqlite":
        raise LedgerError(
            "--storage sqlite://: a file serves the drivers of one machine only, and every results folder has one of "
            f"its own: leave --storage out, or name a server, {EXAMPLE}"
        )
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise LedgerError(f"--storage {url.drivername}://: choices: {EXAMPLE}")
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url
