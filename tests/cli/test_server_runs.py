"""The command on a real PostgreSQL: two at once, its restart in the middle, and its end."""

import re
from functools import partial

import pytest

import servers
import tiny
from studies.cli.screen import PlainScreen
from studies.ledger.ledger import Ledger
from studies.ledger.patience import Patience
from studies.ledger.tally import studies_on

pytestmark = pytest.mark.slow
WORDS = ["run", "--factor", "pooling=cls,mean", "--quick", *tiny.settings(epochs=2), "--workers", "1"]


@pytest.fixture(scope="module")
def server():
    with servers.postgres() as running:
        yield running


def completed(url):
    """Records by trial; every trial has one complete attempt, its last."""
    (name,) = names(url)
    history = Ledger(url, name).history()
    found = {entry.content_hash: entry.record for entry in history if entry.state == "complete"}
    assert len([entry for entry in history if entry.state == "complete"]) == len(found)
    return found


def names(url):
    return studies_on(url.render_as_string(hide_password=False))


def test_two_at_once_share_a_study_though_the_server_restarts_in_the_middle(server, tmp_path):
    url = server.database()
    logs = [tmp_path / "a.log", tmp_path / "b.log"]
    words = [*WORDS, "--seeds", "4", "--storage", url.render_as_string(hide_password=False)]
    drivers = [tiny.start(log, *words, "--results", str(tmp_path / log.stem)) for log in logs]
    tiny.until(lambda: any("/8]" in log.read_text() for log in logs), "a finished trial")
    server.stop()
    tiny.until(lambda: any("storage" in log.read_text() for log in logs), "somebody notices")
    server.start()
    assert [driver.wait(240) for driver in drivers] == [0, 0], [log.read_text() for log in logs]
    assert "Traceback" not in "".join(log.read_text() for log in logs)
    assert len(completed(url)) == 8
    tables = [next((tmp_path / log.stem).glob("*/runs.csv")).read_text() for log in logs]
    assert [table.count(",complete,") for table in tables] == [8, 8]


def test_a_server_that_is_gone_ends_with_code_3_and_the_same_command_finishes(server, tmp_path, monkeypatch, capsys):
    url = server.database()
    words = [*WORDS, "--seeds", "1", "--storage", url.render_as_string(hide_password=False)]
    finished = PlainScreen.finished

    def gone(screen, trial, outcome):
        finished(screen, trial, outcome)
        server.stop()

    with monkeypatch.context() as patched:
        patched.setattr("studies.ledger.ledger.Patience", partial(Patience, seconds=0.2))
        patched.setattr(PlainScreen, "finished", gone)
        try:
            assert tiny.vit_ablate(*words, "--results", str(tmp_path)) == 3
        finally:
            server.start()
    said = capsys.readouterr().err
    assert re.search(r"error: the storage is gone \(.*\); the same command goes on when it is back", said)
    before = completed(url)
    assert len(before) == 1
    assert tiny.vit_ablate(*words, "--results", str(tmp_path)) == 0
    after = completed(url)
    assert len(after) == 2
    assert before.items() <= after.items()
