"""In which arithmetic every arm of a study was begun, kept by the hash of its cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from studies.ledger import notes
from studies.ledger.ledger import Ledger
from studies.ledger.transactions import alone

NOTE = "arithmetic"


def begun_in(ledger: Ledger, here: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What is kept of arms; of those that nothing is known of, what is proposed is kept from now on.

    Of several drivers that begin a study at once, the first decides.
    """

    def work(connection: Connection) -> dict[str, dict[str, Any]]:
        known: dict[str, dict[str, Any]] = notes.read(connection, ledger.study_id, NOTE).get(NOTE, {})
        together = {**{name: dict(fields) for name, fields in here.items()}, **known}
        if together != known:
            notes.write(connection, ledger.study_id, {NOTE: together})
        return together

    return ledger.do(work, alone)
