"""What is asked of a storage on a server."""

import threading

import optuna
import pytest
from sqlalchemy import text

import tiny
from studies.ledger.entries import LedgerError
from studies.ledger.ledger import Ledger
from studies.ledger.patience import Patience, StorageGone
from studies.ledger.states import unfinished
from studies.ledger.storages import FORMAT, MARK
from studies.ledger.urls import shown, without_password

PLAN = tiny.plan({"pooling": ("cls", "mean")})


@pytest.fixture
def url(server):
    return server.database()


def test_a_server_holds_many_studies(url):
    one, other = Ledger(url, "one", create=True), Ledger(url, "other", create=True)
    one.enqueue_all(PLAN.trials)
    other.enqueue(PLAN.trials[0])
    assert [len(Ledger(url, name).entries()) for name in ("one", "other")] == [4, 1]
    one.claim(unfinished(one)[0])
    assert (len(one.leases()), len(other.leases())) == (1, 0)


def test_a_study_of_another_program_is_left_alone(url):
    plain = url.render_as_string(hide_password=False)
    optuna.create_study(storage=plain, study_name="theirs").add_trial(optuna.trial.create_trial(value=1.0))
    for create in (False, True):
        with pytest.raises(LedgerError, match=r"theirs in .* is a study of another program"):
            Ledger(url, "theirs", create)


def test_a_study_of_a_format_to_come_is_refused(url):
    Ledger(url, "study", create=True).note(MARK, FORMAT + 1)
    with pytest.raises(LedgerError, match=rf"a newer vit-ablate \(format {FORMAT + 1}, known: {FORMAT}\); update"):
        Ledger(url, "study")


def test_the_schema_of_another_optuna_is_refused_with_what_to_do(url):
    ledger = Ledger(url, "study", create=True)
    for version, mend in (("v2.6.0.a", "optuna storage upgrade --storage"), ("v99.0.0.a", "pip install -U optuna")):
        with ledger._engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
        with pytest.raises(LedgerError, match=rf"(?s)cannot open .*schema.*{mend}"):
            Ledger(url, "study")


def test_an_empty_database_is_not_filled_by_looking(url, server):
    with pytest.raises(LedgerError, match="no study in postgresql"):
        Ledger(url, "study")
    with pytest.raises(LedgerError, match="no study in postgresql"):
        Ledger(url, "study")


def test_drivers_wait_while_a_server_restarts_and_go_on(server, url):
    ledger = Ledger(url, "study", create=True)
    told = []

    def back(seconds: float, why: str) -> None:
        told.append((seconds, why))
        if len(told) == 2:
            server.start()

    ledger.patience = Patience(told=back)
    entry = ledger.enqueue(PLAN.trials[0])
    ledger.claim(entry)
    server.stop()
    assert ledger.complete(entry, {"val_accuracy": 0.5})
    assert [entry.state for entry in ledger.history()] == ["complete"]
    (first, why), (second, _) = told[:2]
    assert second == 2 * first
    assert "connection" in why or "terminating" in why


def test_a_server_that_is_gone_for_good_ends_the_run(server, url):
    ledger = Ledger(url, "study", create=True)
    entry = ledger.enqueue(PLAN.trials[0])
    server.stop()
    try:
        ledger.patience = Patience(seconds=0.0)
        with pytest.raises(StorageGone, match=r"the storage is gone \(.*\); the same command goes on when it is back"):
            ledger.claim(entry)
        ledger.patience = Patience(given_up=lambda: True)  # Ctrl-C twice
        with pytest.raises(StorageGone):
            ledger.claim(entry)
    finally:
        server.start()
    assert [entry.state for entry in ledger.history()] == ["waiting"]


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_many_may_make_one_ledger_at_once(place):
    ledgers, errors, start = [], [], threading.Barrier(8)

    def make() -> None:
        start.wait()
        try:
            ledger = place.ledger(create=True)
            ledger.enqueue_all(PLAN.trials)
            ledgers.append(ledger)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [len(ledger.history()) for ledger in ledgers] == [4] * 8


def test_who_has_no_password_is_told_where_it_is_looked_up_and_none_is_shown(server, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    url = server.locked()
    Ledger(url, "study", create=True)
    with pytest.raises(LedgerError, match=r"no password supplied; set PGPASSWORD or write ~/.pgpass on ") as refused:
        Ledger(without_password(url), "study")
    assert "hunter2" not in str(refused.value)
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    assert Ledger(without_password(url), "study").entries() == {}
    asked = url.update_query_dict({"password": "hunter2"})
    assert not any("hunter2" in said for said in (shown(url), shown(asked), without_password(asked)))
    assert "***" not in without_password(asked)
