"""A study that goes on elsewhere: its arithmetic is kept, or it is refused, or the tables say that it is mixed."""

import dataclasses

import pandas as pd
import pytest

import studies.running.arithmetic
import tiny
from studies.findings.findings import mixed_warning, of_all_runs
from studies.ledger.folder import ResultsFolder
from studies.running.arithmetic import MixedArithmeticError, settled
from studies.training.compute import Compute
from studies.training.recipe import DTYPES

PLAN = tiny.plan({"pooling": ("cls", "mean")})
IMAGES = 50_000
HERE = Compute("explicit", "float32", False)


@pytest.fixture
def ledger(tmp_path):
    return ResultsFolder(tmp_path / "study").ledger(create=True)


def begun(ledger, **fields):
    """A trial of the first arm was finished on another machine, by a version that kept no arithmetic."""
    entry = ledger.enqueue(PLAN.trials[0])
    ledger.claim(entry)
    ledger.complete(entry, {"val_accuracy": 0.5, **dataclasses.asdict(dataclasses.replace(HERE, **fields))})


def settle(ledger, allow_mixed=False):
    found = settled(ledger, PLAN, ledger.entries().values(), IMAGES, allow_mixed)
    return [found[cell.content_hash] for cell in PLAN.cells]


def test_a_new_study_takes_the_rule_of_this_machine_and_keeps_it(ledger, monkeypatch):
    assert settle(ledger) == [HERE, HERE]
    monkeypatch.setattr(
        "studies.training.compute.EXPLICIT_UP_TO_TOKENS", dict.fromkeys(DTYPES, 0)
    )  # another machine, another rule
    assert settle(ledger) == [HERE, HERE]
    assert settle(ledger, allow_mixed=True) == [Compute("sdpa", "float32", False)] * 2


def test_what_was_begun_is_kept_where_it_can_be(ledger):
    begun(ledger, attention="sdpa")
    assert settle(ledger) == [Compute("sdpa", "float32", False), HERE]


@pytest.mark.parametrize(
    ("fields", "lacks", "why"),
    [
        ({"dtype": "bfloat16"}, "has_bfloat16", "begun in bfloat16, explicit attention, but this processor does not"),
        ({"compile": True}, "has_cpp_compiler", "compiled, but there is no C\\+\\+ compiler here"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(ledger, monkeypatch, fields, lacks, why):
    begun(ledger, **fields)
    monkeypatch.setattr(studies.running.arithmetic, lacks, lambda *_: False)
    with pytest.raises(MixedArithmeticError, match=f"{why}.*--allow-mixed"):
        settle(ledger)
    assert settle(ledger, allow_mixed=True) == [HERE, HERE]
    monkeypatch.setattr(studies.running.arithmetic, lacks, lambda *_: True)
    assert settle(ledger)[0] == dataclasses.replace(HERE, **fields)


def test_a_trial_is_computed_as_its_arm_was_begun_and_the_tables_tell(tmp_path):
    one = dataclasses.replace(PLAN, cells=PLAN.cells[:1], seeds=[0])
    ledger = ResultsFolder(tmp_path / "study").ledger(create=True)
    settled(ledger, one, [], IMAGES, False)
    kept = {name: {**fields, "attention": "sdpa"} for name, fields in ledger.notes("arithmetic").items()}
    ledger.note("arithmetic", kept)
    tiny.run(one, tmp_path / "study", workers=1)
    (entry,) = ledger.entries().values()
    assert entry.record["attention"] == "sdpa"
    (run,) = ledger.notes("runs")
    assert (run["workers"], run["torch"]) == (1, entry.record["torch"])
    ledger.note("runs", [run, {**run, "machine": {**run["machine"], "cpu": "Abacus 1"}}])
    assert of_all_runs(ledger)["machine"]["cpu"] == f"{run['machine']['cpu']}, Abacus 1"


def test_arms_of_several_arithmetics_are_named():
    rows = [
        {"cell": cell, "status": "complete", "dtype": dtype, "attention": "sdpa", "compile": False}
        for cell, dtype in (("a", "float32"), ("a", "bfloat16"), ("b", "float32"), ("b", "float32"))
    ]
    assert mixed_warning(pd.DataFrame(rows)).startswith("Trials of `a` were computed in more than one arithmetic")
    assert mixed_warning(pd.DataFrame(rows[2:])) == ""
