"""All trials of a study, however many, some hundreds in memory at a time.

Records of one arm begin alike, with its configuration and recipe, up to their seed: what they share is decoded once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, String, cast, select

from studies.ledger.attempts import FACTS, HASH
from studies.ledger.entries import Entry, entry_of
from studies.ledger.ledger import BATCH, Ledger
from studies.ledger.transactions import ATTRS, TRIALS, reading

OWN = '"seed": '
"""Where a record begins to be a trial's own."""

Record = Mapping[str, Any]


def _whole() -> Select[Any]:
    """One row an attempt: id, state, record, then ``FACTS``."""
    attrs = {name: ATTRS.alias(f"of_{name}") for name in ("record", *FACTS)}
    found = select(TRIALS.c.trial_id, cast(TRIALS.c.state, String), *(attr.c.value_json for attr in attrs.values()))
    place = TRIALS
    for name, attr in attrs.items():
        place = place.outerjoin(attr, (attr.c.trial_id == TRIALS.c.trial_id) & (attr.c.key == name))  # type: ignore[assignment]
    return found.select_from(place)


WHOLE = _whole()


def each(ledger: Ledger) -> Iterator[tuple[Entry, Record]]:
    """The newest attempt at every trial, in the order of `Ledger.entries`; its record in two parts.

    The entry has the part that is its own; what comes before that is one and the same object for all trials that have
    it in common. What ends while this reads is seen or not; an attempt is seen whole.
    """
    ids = ledger.do(partial(newest_ids, ledger.study_id), reading)
    common: dict[str, Record] = {}
    for begin in range(0, len(ids), BATCH):
        yield from ledger.do(partial(_read, ids[begin : begin + BATCH], common), reading)


def newest_ids(study_id: int, connection: Connection) -> list[int]:
    """Ids of the last attempt at every trial, in the order in which trials were first enqueued."""
    hashes = (
        select(ATTRS.c.value_json, TRIALS.c.trial_id)
        .join(TRIALS, ATTRS.c.trial_id == TRIALS.c.trial_id)
        .where(TRIALS.c.study_id == study_id, ATTRS.c.key == HASH)
        .order_by(TRIALS.c.trial_id)  # of one trial, a later attempt has a higher id
    )
    newest = {row[0]: row[1] for row in connection.execute(hashes).all()}
    return list(newest.values())


def halves(text: str, common: dict[str, Record]) -> tuple[Record, dict[str, Any]]:
    """A record in JSON as what comes before its seed, which ``common`` knows from then on, and all from there."""
    begin, found, rest = text.partition(f", {OWN}")
    if found and begin not in common:
        try:
            common[begin] = json.loads(begin + "}")
        except ValueError:  # it was the seed of something inside the record
            found = ""
    if not found:
        return common.setdefault("", {}), json.loads(text)
    return common[begin], json.loads(f"{{{OWN}{rest}")


def _read(ids: list[int], common: dict[str, Record], connection: Connection) -> list[tuple[Entry, Record]]:
    rows = connection.execute(WHOLE.where(TRIALS.c.trial_id.in_(ids))).all()
    found = {row[0]: _attempt(row, common) for row in rows}
    return [found[trial_id] for trial_id in ids]


def _attempt(row: Any, common: dict[str, Record]) -> tuple[Entry, Record]:
    trial_id, state, record, *texts = row
    before, own = halves(record or "{}", common)
    known = json.loads(f"[{','.join([text or 'null' for text in texts])}]")
    attrs = {name: value for name, value in zip(FACTS, known, strict=True) if value is not None}
    return entry_of(trial_id, state, {**attrs, "record": own}), before
