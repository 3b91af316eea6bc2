"""What is kept about a study as a whole, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from studies.ledger.transactions import NOTES


def read(connection: Connection, study_id: int, begin: str, table: Table = NOTES) -> dict[str, Any]:
    """Notes whose names begin so; the others, which may be long, are not read."""
    where = (table.c.study_id == study_id, table.c.key.startswith(begin, autoescape=True))
    rows = connection.execute(select(table.c.key, table.c.value_json).where(*where))
    return {key: json.loads(value) for key, value in rows}


def write(connection: Connection, study_id: int, contents: Mapping[str, Any], table: Table = NOTES) -> None:
    """In place of what was kept under these names; wants to be alone in the study."""
    if contents:
        drop(connection, study_id, list(contents), table)
        rows = [{"study_id": study_id, "key": k, "value_json": json.dumps(content)} for k, content in contents.items()]
        connection.execute(insert(table), rows)


def drop(connection: Connection, study_id: int, keys: list[str], table: Table = NOTES) -> None:
    """Forget them."""
    connection.execute(delete(table).where(table.c.study_id == study_id, table.c.key.in_(keys)))
