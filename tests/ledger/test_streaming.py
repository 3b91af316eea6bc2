import json

import tiny
from studies.ledger.streaming import each, halves


def test_it_reads_what_entries_reads_in_the_same_order(tmp_path):
    ledger = tiny.filled(tmp_path)
    first, failed = next(iter(ledger.entries().values())), [e for e in ledger.entries().values() if e.state == "failed"]
    assert failed
    for entry in failed:
        ledger.claim(ledger.retry(entry))
    whole = ledger.entries()
    read = {
        entry.content_hash: (entry.state, entry.attempt, entry.reason, {**common, **entry.record})
        for entry, common in each(ledger)
    }
    assert list(read) == list(whole)
    assert read == {h: (e.state, e.attempt, e.reason, e.record) for h, e in whole.items()}
    assert list(read[first.content_hash][3]) == list(first.record)


def test_what_records_share_is_one_object(tmp_path):
    shared = {entry.cell_hash: id(common) for entry, common in each(tiny.filled(tmp_path)) if entry.record}
    assert len(set(shared.values())) == len(shared)


def test_a_record_is_cut_before_its_own_seed_only():
    common = {}
    for record in (
        {"depth": 3, "seed": 1, "loss": 0.5},
        {"depth": 3, "seed": 2, "loss": 0.25},
        {"deep": {"a": 1, "seed": 7}, "seed": 3},
        {"text": 'a, "seed": 4', "seed": 4},
        {"seed": 5},
        {},
    ):
        before, own = halves(json.dumps(record), common)
        assert {**before, **own} == record
    assert common[json.dumps({"depth": 3})[:-1]] == {"depth": 3}
