import pytest

import studies.measure
import tiny
from studies.measure import BRIEF, FULL, measure_cells

PLAN = tiny.plan({"pooling": ("cls", "mean")}, recipe=tiny.RECIPE.replace(batch_size=100))
CLS, MEAN = PLAN.cells


@pytest.fixture
def small(monkeypatch, small_mnist):
    monkeypatch.setattr(studies.measure, "load", lambda name: small_mnist)


def test_every_cell_gets_speed_spread_size_and_an_honest_memory(small):
    found = measure_cells([CLS, MEAN], "cpu", tiny.BRIEFLY)
    assert set(found) == {CLS.content_hash, MEAN.content_hash}
    for facts in found.values():
        for kind in ("train", "infer"):
            assert facts[f"{kind}_images_per_second"] > 100
            assert facts[f"{kind}_images_per_second_iqr"] >= 0
            assert len(facts[f"{kind}_rounds"]) == tiny.BRIEFLY.rounds
        assert (facts["gpu_memory_mib"], facts["gpu_memory_source"]) == (None, "unavailable: no GPU")
    assert found[CLS.content_hash]["params"] == found[MEAN.content_hash]["params"] + 16  # the class token, its position
    assert found[CLS.content_hash]["flops"] > found[MEAN.content_hash]["flops"] > 0


def test_a_cell_that_breaks_has_a_reason_and_the_others_their_speed(small):
    broken = tiny.plan({"in_channels": (3,)}, base=tiny.MODEL.replace(in_channels=3)).cells[0]
    found = measure_cells([broken, CLS], "cpu", tiny.BRIEFLY)
    assert set(found[broken.content_hash]) == {"reason"}
    assert found[CLS.content_hash]["train_images_per_second"] > 0


def test_nothing_to_measure_is_nothing(small):
    broken = tiny.plan({"in_channels": (3,)}, base=tiny.MODEL.replace(in_channels=3)).cells[0]
    assert measure_cells([], "cpu", tiny.BRIEFLY) == {}
    assert set(measure_cells([broken], "cpu", tiny.BRIEFLY)[broken.content_hash]) == {"reason"}


def test_the_default_study_is_measured_within_its_share_of_the_ten_minutes():
    assert BRIEF.seconds(24) < FULL.seconds(24) < 90
