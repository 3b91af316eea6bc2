import pytest

from bench.machine import machine_facts
from studies.ledger.folder import ResultsFolder
from studies.running.moved import moved
from studies.running.runner import RUNS
from studies.trial.provenance import versions

HERE = {**versions(), "machine": machine_facts("cpu"), "driver": "a"}
OTHER = HERE | {"torch": "1.0", "machine": {"cpu": "Abacus 1"}}


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ([], None),
        ([HERE], None),
        ([OTHER, HERE], None),
        ([{"driver": "elsewhere"}], None),
        ([HERE | {"torch": "1.0"}], ("torch", "(before: 1.0)")),
        ([OTHER], ("another torch", "another processor", "(before: Abacus 1)", "the same seed has other bits")),
    ],
)
def test_what_is_another_here_is_said_once_it_is_new(before, said, tmp_path):
    ledger = ResultsFolder(tmp_path).ledger(create=True)
    ledger.note(RUNS, before)
    found = moved(ledger, "cpu")
    assert (found is None) == (said is None)
    assert all(part in found for part in said or ())
