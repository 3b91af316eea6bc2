"""What may be read of storages by whoever only looks: read only, and without Optuna, which is slow to load."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from bench.files import ends_in_a_line
from studies.ledger.folder import ResultsFolder
from studies.ledger.urls import shown, url_of

NAMES = text(
    "SELECT DISTINCT s.study_name FROM studies s JOIN study_user_attributes a ON a.study_id = s.study_id "
    "AND a.key IN ('plan', 'vit-ablate') ORDER BY s.study_name"
)


class TallyError(RuntimeError):
    """The storage cannot be read; the message says why."""


@dataclass(frozen=True)
class Tally:
    """Trials by state, each counted by its newest attempt, and why some failed."""

    counts: Counter[str]
    reasons: list[str]


@contextmanager
def looking(folder: ResultsFolder) -> Iterator[Connection]:
    """A look at the storage of a study.

    Raises:
        LedgerError, TallyError: it is not there, no URL of a server, or cannot be read.
    """
    if folder.server:
        url = url_of(folder.server)
        with _reading(url, shown(url)) as connection:
            yield connection
        return
    where = {"mode": "ro", "uri": "true"}
    file = URL.create("sqlite", database=f"file:{quote(str(folder.storage.absolute()))}", query=where)
    with _reading(file, str(folder.storage)) as connection:
        yield connection


def studies_on(server: str) -> list[str]:
    """Names of the studies on a server.

    Raises:
        LedgerError, TallyError: it is no URL of a server, or cannot be read.
    """
    url = url_of(server)
    with _reading(url, shown(url)) as connection:
        return [name for (name,) in connection.execute(NAMES)]


def tally_of_table(path: Path) -> Tally:
    """Count the trials of a ``runs.csv``, of results whose storage is elsewhere.

    Raises:
        TallyError: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(row["status"], row["reason"]) for row in csv.DictReader(file, strict=True)]
    except (OSError, UnicodeError, LookupError, csv.Error) as error:
        raise TallyError(f"cannot read {path}: {error}") from error
    if not ends_in_a_line(path):
        raise TallyError(f"cannot read {path}: its last line is cut short")
    reasons = {reason for state, reason in rows if state == "failed" and reason}
    return Tally(Counter(state for state, _ in rows), sorted(reasons))


@contextmanager
def _reading(url: URL, place: str) -> Iterator[Connection]:
    try:
        engine = create_engine(url)
    except ImportError as error:
        raise TallyError(f"cannot read {place}: {error}; pip install 'vit-ablate[postgres]'") from error
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise TallyError(f"cannot read {place}: {str(error.__cause__ or error).splitlines()[0]}") from error
    except (ValueError, LookupError, TypeError) as error:  # pages of a file that tore
        raise TallyError(f"cannot read {place}: it is damaged ({error})") from error
    finally:
        engine.dispose()
