"""A person's own images on the command line: from a folder to tables, and what `data` says of them."""

import re

import numpy as np
import pytest

import tiny
from photos import folder, noise, save
from studies.cli.doing.planned import plan_of
from studies.cli.images import STORED, Resize, may_be_path
from studies.cli.options import Asked
from studies.data.own.store import NAME

BALANCED = "cell,test_balanced_accuracy_mean"
TINY = tiny.settings(epochs=1, batch_size=8, patch_size=8)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VIT_ABLATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VIT_ABLATE_DATA", raising=False)


@pytest.fixture
def pets(tmp_path):
    """20 cats and 60 dogs, and a text file that says it is a dog."""
    root = folder(tmp_path / "pets", ("cat",), 20)
    for i in range(60):
        save(noise(5000 + i), root / "dog" / f"{i}.jpg")
    (root / "dog" / "text.jpg").write_text("woof")
    return root


def said(capsys) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


def test_data_shows_what_is_to_be_known(capsys, pets, tmp_path):
    assert tiny.vit_ablate("data", str(pets), "--results", str(tmp_path / "results")) == 0
    text = said(capsys)
    assert re.search(r"cat 14 2 4", text)
    assert sum(int(number) for number in re.search(r"dog (\d+) (\d+) (\d+)", text).groups()) == 60
    assert "images: 32 x 32, colour" in text
    assert "as they were: 40 x 30 to 40 x 30" in text
    assert "resized by crop" in text
    assert "skipped: 1 dog/text.jpg: no image of a known format" in text
    assert "tables show balanced accuracy, too" in text
    assert "near-duplicates: 0 of" in text
    (picture,) = (tmp_path / "results" / "data").glob("pets-*.png")
    assert picture.stat().st_size > 10_000


def test_data_shows_a_published_set(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("studies.cli.doing.showing_data.look_alikes", lambda data: {"val": [], "test": [(0, 0)]})
    assert tiny.vit_ablate("data", "mnist", "--to", str(tmp_path)) == 0
    text = said(capsys)
    assert "near-duplicates: 1 of 10,000 test images" in text
    assert "tables show" not in text
    assert "two labels" not in text
    assert (tmp_path / "mnist.png").exists()


def test_data_says_that_an_image_has_two_labels(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("studies.cli.doing.showing_data.look_alikes", lambda data: {"val": [], "test": []})
    monkeypatch.setattr("studies.cli.doing.showing_data.contradictions", lambda data: [{4, 9}, {1, 7}])
    assert tiny.vit_ablate("data", "mnist", "--to", str(tmp_path)) == 0
    assert "two labels: 2 images under more than one, such as 4 and 9" in said(capsys)


def test_from_a_folder_to_tables_and_pictures(capsys, pets, tmp_path):
    results = ("--results", str(tmp_path / "results"))
    words = ("run", "pooling", "--dataset", str(pets), "--image-size", "16", "--seeds", "2", "--workers", "1")
    assert tiny.vit_ablate(*words, *TINY, *results) == 0
    assert "skipped images: 1, the first dog/text.jpg" in said(capsys)
    (made,) = (tmp_path / "results").glob("pooling*")
    assert re.fullmatch(rf"pooling.*-{STORED}-cpu", made.name)
    assert tiny.vit_ablate("table", made.name.split("-pets")[0], *results, "--columns", BALANCED) == 0
    assert "balanced accuracy, %" in said(capsys)
    assert "balanced accuracy, %" in (made / "README.md").read_text()
    assert "skipped images: 1" in (made / "README.md").read_text()
    pets.rename(tmp_path / "moved")  # the cache is enough
    assert tiny.vit_ablate("look", made.name, *results) == 0
    assert any((made / "pictures").rglob("*.png"))


def test_the_same_images_under_another_name_are_the_same_trials(pets, tmp_path):
    plans = []
    for name in ("pets", "there"):
        plans.append(plan_of(Asked(study="pooling", dataset=str(tmp_path / name), seeds=1)))
        if name == "pets":
            pets.rename(tmp_path / "there")
    assert plans[0].folder != plans[1].folder
    assert [trial.content_hash for trial in plans[0].trials] == [trial.content_hash for trial in plans[1].trials]
    other = plan_of(Asked(study="pooling", dataset=str(tmp_path / "there"), seeds=1, resize=Resize.pad))
    assert other.trials[0].content_hash != plans[0].trials[0].content_hash


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--dataset", "nosuch"], "unknown data set 'nosuch'; choices: cifar10, fashion-mnist, mnist"),
        (["--dataset", ""], "unknown data set ''"),
        (["--dataset", "./nosuch"], "does not exist"),
        (["--dataset", "{empty}"], "no images in class folders"),
        (["--dataset", "{one}"], "only one class, 'cat'"),
        (["--dataset", "{few}"], "too few images of 'dog'"),
        (["--dataset", "{pets}", "--image-size", "5000"], "must be 8 to 1024"),
        (["--dataset", "{pets}", "--refuse-broken"], "dog/text.jpg: no image of a known format"),
        (["--dataset", "{pets}", "--set", "image_size=28"], "patch_size=8 does not divide"),
        (["--dataset", "pets-0123456789ab"], "is not in the cache"),
        (["--dataset", "mnist", "--image-size", "32"], "fixed size"),
        (["--data-dir", "{empty}/nowhere"], "does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_images_that_cannot_be_used_are_one_line(capsys, pets, tmp_path, words, part):
    places = {"pets": pets, "empty": tmp_path / "empty", "one": folder(tmp_path / "one", ("cat",))}
    places |= {"few": folder(tmp_path / "few", ("cat",), 9)}
    places["empty"].mkdir()
    save(noise(0), places["few"] / "dog" / "0.png")
    typed = [word.format(**places) for word in words]
    assert tiny.vit_ablate("run", "pooling", *typed, "--results", str(tmp_path / "results")) == 2
    assert part in said(capsys).replace("│ ", "")
    assert not (tmp_path / "results").exists()


def test_the_command_line_knows_the_names_of_the_cache():
    for text in ("pets-0123456789ab", "a_b-abcdefabcdef", "Pets-0123456789ab", "mnist", "a-b-0123456789ab", ""):
        assert bool(re.fullmatch(STORED, text)) == bool(NAME.fullmatch(text))
    assert may_be_path("pets-0123456789ab")
    assert not may_be_path("mnist")


def test_train_takes_a_table_of_paths(capsys, pets, tmp_path):
    rows = [f"{path},{path.parent.name}" for path in sorted(pets.rglob("*.*g")) if path.name != "text.jpg"]
    (tmp_path / "pets.csv").write_text("\n".join(["path,label", *rows]))
    assert tiny.vit_ablate("train", "--dataset", str(tmp_path / "pets.csv"), *TINY) == 0
    assert "test accuracy" in said(capsys)


def test_published_files_in_a_folder_are_used(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("VIT_ABLATE_DATA", "")  # put back at the end
    (tmp_path / "mine").mkdir()
    np.save(tmp_path / "mine" / "x.npy", np.zeros(1))
    (tmp_path / "mine" / "cifar-10-binary.tar.gz").write_bytes(b"no archive")
    assert tiny.vit_ablate("data", "cifar10", "--data-dir", str(tmp_path / "mine")) == 2
    assert "expected c4a38c50" in said(capsys)
