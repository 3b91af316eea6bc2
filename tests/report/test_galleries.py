import pytest
import torch

import tiny
from studies.data import DATASETS, DataSet, Split, load
from studies.ledger.folder import ResultsFolder
from studies.report import galleries
from studies.report.galleries import draw_galleries
from studies.report.pictures import PICTURES
from studies.report.pictures.weights_file import LookError, draw, look_at
from studies.report.publishing import publish
from studies.training.weights import save_weights
from studies.trial.setup import Setup
from studies.trial.trial import training_notes
from vit import ViT

CONFIG = tiny.MODEL.replace(num_classes=2)


@pytest.fixture
def two_labels(monkeypatch):
    """A data set whose labels are 0 and 1."""
    pixels = torch.randint(256, (40, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    split = Split(pixels, torch.arange(40) % 2)
    monkeypatch.setitem(DATASETS, "two-labels", lambda: DataSet("two-labels", 2, split, split, split))
    yield "two-labels"
    load.cache_clear()


@pytest.fixture
def weights(tmp_path, two_labels):
    torch.manual_seed(0)
    return save_weights(
        ViT(CONFIG), tmp_path / "x.safetensors", training_notes(Setup(CONFIG, tiny.RECIPE, two_labels), 0)
    )


def test_the_first_labels_present_are_compared_where_none_are_named(weights, tmp_path):
    look = look_at(weights)
    assert look.compared == [0, 1]
    drawn = draw(look, tmp_path / "pictures")
    assert {path.stem for path in drawn.paths} | drawn.missing.keys() == set(PICTURES)


def test_a_named_label_that_is_not_there_is_refused(weights):
    with pytest.raises(LookError, match="--labels 3: the labels of two-labels are 0 to 1"):
        look_at(weights, wanted=(3,))


def test_a_study_on_two_labels_is_published_with_pictures(two_labels, tmp_path):
    folder = ResultsFolder(tmp_path / "tiny-two-labels-cpu")
    ledger = folder.ledger(create=True)
    ledger.plan = tiny.plan({}, base=CONFIG, dataset=two_labels, seeds=1)
    (trial,) = ledger.plan.trials
    entry = ledger.enqueue(trial)
    ledger.claim(entry)
    ledger.complete(entry, tiny.described(trial) | tiny.scored(0))
    save_weights(
        ViT(CONFIG), folder.weights(trial.cell.name), training_notes(Setup(CONFIG, tiny.RECIPE, two_labels), 0)
    )
    publish(ledger, folder, galleries=True)
    assert (folder.pictures("baseline") / "median-attention.svg").exists()


def test_an_arm_that_cannot_be_looked_at_has_no_gallery(two_labels, tmp_path, monkeypatch):
    ledger = tiny.filled(tmp_path / "tiny-mnist-cpu")
    folder = tiny.home(ledger)
    plan, cells = ledger.plan, publish(ledger, folder).cells
    for cell in plan.runnable:
        save_weights(ViT(cell.config), folder.weights(cell.name), training_notes(cell.to_train, 0))

    def refuse(weights):
        raise LookError("--image 0: the test images are 0 to -1")

    monkeypatch.setattr(galleries, "look_at", refuse)
    draw_galleries(folder, plan, cells, folder)
    assert not list(folder.path.glob("pictures/**/*.*g"))
