"""Looks are kept in the ledger, and p values pay for them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny
from studies.findings import looks
from studies.findings.effects import contrasts_frame
from studies.findings.findings import find
from studies.findings.looks import NOTE, look_at, plan_looks, ranges, seeds_of
from studies.findings.tables import runs_frame
from studies.ledger.folder import ResultsFolder
from studies.statistics.looks import spent

FACTORS = {"pooling": ("cls", "mean", "map")}
TRUTH = {"cls": 0.9, "mean": 0.9006, "map": 0.85}


class Growing:
    """A study in a ledger that gets seeds as a test wants them."""

    def __init__(self, folder, seeds=20):
        self.folder = ResultsFolder(folder)
        self.ledger = self.folder.ledger(create=True)
        self.plan = self.ledger.plan = tiny.plan(FACTORS, seeds=seeds)

    def add(self, seeds, arms=tuple(TRUTH), fail=()):
        for trial in self.plan.trials:
            if trial.seed in seeds and trial.cell.name in arms:
                entry = self.ledger.enqueue(trial)
                self.ledger.claim(entry)
                if (trial.cell.name, trial.seed) in fail:
                    self.ledger.fail(entry, "DivergedError", tiny.described(trial))
                else:
                    self.ledger.complete(entry, tiny.described(trial) | self.scored(trial))
        return self

    def scored(self, trial):
        noise = np.random.default_rng([trial.seed, len(trial.cell.name), ord(trial.cell.name[-1])]).normal(0, 0.003)
        accuracy = TRUTH[trial.cell.name] + noise
        return tiny.scored(0) | {"test_accuracy": accuracy, "val_accuracy": accuracy}

    def look(self):
        runs = runs_frame(self.ledger, self.plan)
        found = look_at(self.ledger, self.plan, runs)
        contrasts = contrasts_frame(self.plan, runs, found)
        return found, contrasts[contrasts["factor"] == "cell"].set_index("a")

    @property
    def kept(self):
        return self.ledger.notes(NOTE) or []


@pytest.fixture
def growing(tmp_path):
    return Growing(tmp_path / "tiny-mnist-cpu")


def test_nothing_complete_is_no_look(growing):
    trial = growing.plan.trials[0]
    growing.ledger.enqueue(trial)
    assert look_at(growing.ledger, growing.plan, runs_frame(growing.ledger, growing.plan)) == []
    assert growing.kept == []


def test_running_reading_and_running_more_is_two_looks(growing):
    (first,), early = growing.add(range(5)).look()
    assert (first.share, set(early["looks"])) == (pytest.approx(spent(5)), {1})
    found, late = growing.add(range(5, 8)).look()
    assert [look.share for look in found] == pytest.approx([spent(5), spent(8) - spent(5)])
    assert found[0].units == first.units
    assert found[1].units["mean"] == frozenset(range(8))
    assert set(late["looks"]) == {2}
    assert (late["p_looks"] > late["p"]).all()
    assert len(growing.kept) == 2


def test_reading_again_without_new_trials_is_no_new_look(growing):
    growing.add(range(5))
    once, again = growing.look(), growing.look()
    assert once[0] == again[0]
    assert once[1]["p_holm"].tolist() == again[1]["p_holm"].tolist()
    assert len(growing.kept) == 1


@pytest.mark.parametrize("most", [None, 8])
def test_shares_never_sum_over_1_and_never_fall(growing, most):
    if most:
        assert plan_looks(growing.ledger, most)
    for start, stop in ((0, 1), (1, 2), (2, 6), (6, 8), (8, 13), (13, 20)):
        found, _ = growing.add(range(start, stop)).look()
        shares = [look.share for look in found]
        assert min(shares) >= 0
        assert sum(shares) <= 1 + 1e-12
    assert len(shares) == 6
    assert (sum(shares) == pytest.approx(1)) == bool(most)


def test_half_a_block_counts_half(growing):
    """Ctrl-C after the fifth seed of one of three arms: a look at 4 1/3 seeds."""
    growing.add(range(4)).add([4], ["cls"])
    (look,), _ = growing.look()
    assert look.share == pytest.approx(spent(4 + 1 / 3))
    found, _ = growing.add([4], ["mean", "map"]).look()
    assert sum(look.share for look in found) == pytest.approx(spent(5))


def test_failed_trials_count_as_over(growing):
    (look,), _ = growing.add(range(5), fail={("mean", 4), ("map", 4), ("cls", 4)}).look()
    assert look.share == pytest.approx(spent(5))
    assert look.units["mean"] == frozenset(range(4))


def test_arms_that_rest_do_not_hold_the_others_back(growing):
    """The decided arm stays at five seeds; those that grow have come to eight."""
    _, early = growing.add(range(5)).look()
    assert early.loc["map", "verdict"] == "worse"
    found, late = growing.add(range(5, 8), ["cls", "mean"]).look()
    assert sum(look.share for look in found) == pytest.approx(spent(8))
    assert late.loc["map", ["n", "verdict"]].tolist() == [5, "worse"]
    assert late.loc["map", "p_looks"] == pytest.approx(early.loc["map", "p_looks"])
    assert late.loc["mean", "n"] == 8


def test_look_once_decides_nothing_before_and_spends_all_at_the_end(growing):
    assert plan_looks(growing.ledger, 8, once=True)
    _, early = growing.add(range(5)).look()
    assert set(early["verdict"]) == {"undecided"}
    assert set(early["p_holm"]) == {1.0}
    found, late = growing.add(range(5, 8)).look()
    assert [look.share for look in found] == [0.0, 1.0]
    assert late["p_looks"].tolist() == pytest.approx(late["p"].tolist())
    assert late.loc["map", "verdict"] == "worse"


def test_looking_early_costs_what_looking_once_does_not(tmp_path):
    looked, patient = Growing(tmp_path / "looked"), Growing(tmp_path / "patient")
    plan_looks(patient.ledger, 8, once=True)
    for study in (looked, patient):
        study.add(range(5)).look()
        study.add(range(5, 8))
    assert (looked.look()[1]["p_looks"] > patient.look()[1]["p_looks"]).all()


def test_it_is_too_late_to_plan_after_a_look(growing):
    growing.add(range(5)).look()
    assert not plan_looks(growing.ledger, 8)
    assert growing.ledger.notes(looks.PLANNED) is None


def test_the_same_plan_again_is_fine(growing):
    assert plan_looks(growing.ledger, 8)
    growing.add(range(5)).look()
    assert plan_looks(growing.ledger, 8)
    assert not plan_looks(growing.ledger, 12)


def test_a_ledger_that_may_only_be_read_is_looked_at_without_a_trace(growing, monkeypatch):
    growing.add(range(5)).look()
    growing.add(range(5, 8))
    monkeypatch.setattr(type(growing.ledger), "writable", False)
    monkeypatch.setattr(type(growing.ledger), "note", lambda *_: pytest.fail("something was written"))
    found, contrasts = growing.look()
    assert len(found) == 2
    assert set(contrasts["looks"]) == {2}


def test_what_a_report_finds_knows_the_looks(growing):
    find(growing.add(range(5)).ledger)
    found = find(growing.add(range(5, 8)).ledger)
    assert set(found.contrasts["looks"]) == {2}
    assert len(growing.kept) == 2


@given(st.sets(st.integers(0, 300)))
def test_seeds_are_kept_as_ranges(seeds):
    assert seeds_of(ranges(seeds)) == seeds


def test_ranges_are_short():
    assert ranges({7, 0, 1, 2}) == "0-2,7"
    assert ranges(range(100)) == "0-99"
    assert ranges([]) == ""
