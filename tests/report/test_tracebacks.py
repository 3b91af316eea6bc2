"""The traceback of a failed trial: a file in the results folder, and named wherever the trial is."""

import pytest

import tiny
from studies.findings.tables import runs_frame, traceback_of
from studies.ledger.folder import ResultsFolder
from studies.report.publishing import publish
from studies.report.tracebacks import Failure, failures, write_tracebacks

PLAN = tiny.plan({"pooling": ("cls", "mean")}, seeds=1)
HOSTILE = ["../../out", "/etc/passwd", "a\x00b", "c:\\x", "..", "[red]`x`", "å" * 300]


@pytest.fixture
def ledger(tmp_path):
    made = ResultsFolder(tmp_path / "study").ledger(create=True)
    made.plan = PLAN
    made.note("provenance", {"command": "vit-ablate run tiny"})
    made.add_measurement({cell.content_hash: tiny.measured(i) for i, cell in enumerate(PLAN.runnable)})
    good, bad = made.enqueue_all(PLAN.trials)
    made.claim(good), made.complete(good, tiny.described(PLAN.trials[0]) | tiny.scored(0))
    made.claim(bad), made.fail(bad, "ValueError: <b>", tiny.described(PLAN.trials[1]), "Traceback: <b> here\n")
    return made


def test_it_is_written_named_and_gone_once_the_trial_has_run_well(ledger):
    home = tiny.home(ledger)
    published = publish(ledger, home)
    name = "tracebacks/mean_seed-0_attempt-1.txt"
    assert failures(published.runs) == [Failure("mean", 0, "error", "ValueError: <b>", name)]
    assert (home.path / name).read_text() == "mean, seed 0, attempt 1: error\n\nTraceback: <b> here\n"
    assert "mean_seed-0_attempt-1.txt" in home.table("runs").read_text()
    assert "tracebacks/mean" in home.readme.read_text().replace("\\", "")
    assert f"ValueError: &lt;b&gt; ({name})" in home.page.read_text()
    ledger.claim(again := ledger.retry(ledger.entries()[PLAN.trials[1].content_hash]))
    ledger.complete(again, tiny.described(PLAN.trials[1]) | tiny.scored(1))
    write_tracebacks(ledger, home, runs_frame(ledger, PLAN))
    assert list(home.tracebacks.iterdir()) == []


@pytest.mark.parametrize("arm", HOSTILE)
def test_the_name_of_an_arm_is_no_path(arm, tmp_path):
    path = tmp_path / "tracebacks" / traceback_of(arm, 0, 1)
    assert path.resolve().parent == (tmp_path / "tracebacks").resolve()
    path.parent.mkdir()
    path.write_text("it can be written")


def test_tables_of_before_have_failures_without_kind_and_file(ledger):
    runs = runs_frame(ledger, PLAN).drop(columns=["failure", "traceback"])
    assert failures(runs) == [Failure("mean", 0, "", "ValueError: <b>", "")]
