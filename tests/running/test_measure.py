import errno

import pytest

import studies.running.measure
import tiny
from bench.files import MachineError
from studies.running.effort import BRIEF, FULL
from studies.running.measure import measure_cells, resident_bytes

PLAN = tiny.plan({"pooling": ("cls", "mean")}, recipe=tiny.RECIPE.replace(batch_size=100))
CLS, MEAN = PLAN.cells


@pytest.fixture
def small(monkeypatch, small_mnist):
    monkeypatch.setattr(studies.running.measure, "load", lambda name: small_mnist)


def test_every_cell_gets_speed_spread_size_and_an_honest_memory(small, small_mnist):
    found = measure_cells([CLS, MEAN], "cpu", tiny.BRIEFLY)
    assert set(found) == {CLS.content_hash, MEAN.content_hash}
    for facts in found.values():
        for kind in ("train", "infer"):
            assert facts[f"{kind}_images_per_second"] > 100
            assert facts[f"{kind}_images_per_second_iqr"] >= 0
            assert len(facts[f"{kind}_rounds"]) == tiny.BRIEFLY.rounds
        assert facts["gpu_memory_source"] == "predicted (CUDA, explicit in float32, eager)"
        assert facts["gpu_reserved_mib"] is None
        assert facts["gpu_memory_mib"] > 2 * small_mnist.train.images.nbytes / 2**20
    assert found[CLS.content_hash]["params"] == found[MEAN.content_hash]["params"] + 16  # the class token, its position
    assert 0 < found[CLS.content_hash]["flops"] < found[MEAN.content_hash]["flops"]  # the last block spares the rest


def test_a_cell_that_breaks_has_a_reason_and_the_others_their_speed(small):
    broken = tiny.plan({"in_channels": (3,)}, base=tiny.MODEL.replace(in_channels=3)).cells[0]
    found = measure_cells([broken, CLS], "cpu", tiny.BRIEFLY)
    assert set(found[broken.content_hash]) == {"reason"}
    assert found[CLS.content_hash]["train_images_per_second"] > 0


def test_a_model_that_cannot_be_traced_still_has_its_speed(small, monkeypatch):
    def look_at_values(*args):
        raise RuntimeError("no data")

    monkeypatch.setattr(studies.running.measure, "predict_peak", look_at_values)
    facts = measure_cells([CLS], "cpu", tiny.BRIEFLY)[CLS.content_hash]
    assert (facts["gpu_memory_mib"], facts["gpu_memory_source"]) == (None, "unavailable: RuntimeError: no data")
    assert facts["train_images_per_second"] > 100


def test_resident_bytes_are_those_of_the_tensors(small_mnist):
    splits = [small_mnist.train, small_mnist.val, small_mnist.test]
    copies = [tensor.clone() for split in splits for tensor in (split.images, split.labels)]
    assert resident_bytes(small_mnist) == sum(tensor.untyped_storage().nbytes() for tensor in copies)


def test_nothing_to_measure_is_nothing(small):
    broken = tiny.plan({"in_channels": (3,)}, base=tiny.MODEL.replace(in_channels=3)).cells[0]
    assert measure_cells([], "cpu", tiny.BRIEFLY) == {}
    assert set(measure_cells([broken], "cpu", tiny.BRIEFLY)[broken.content_hash]) == {"reason"}


def test_the_default_study_is_measured_within_its_share_of_the_ten_minutes():
    assert BRIEF.seconds(24) < FULL.seconds(24) < 90


def test_what_the_machine_lacks_is_kept_as_nobodys_reason(small, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(studies.running.measure, "predict_peak", full)
    with pytest.raises(MachineError):
        measure_cells([CLS], "cpu", tiny.BRIEFLY)
    monkeypatch.undo()
    monkeypatch.setattr(studies.running.measure, "load", full)
    with pytest.raises(MachineError):
        measure_cells([CLS], "cpu", tiny.BRIEFLY)
