"""A person's own images, from their path to a data set in the cache."""

import json
import os
import re
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from photos import folder, noise, save
from studies.cli.images import STORED
from studies.data import DataError, identity, load, name_of
from studies.data.own import decoding, importing
from studies.data.own.importing import import_images
from studies.data.own.store import about, cache_folder, is_stored_name, read
from vit import UnknownNameError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VIT_ABLATE_CACHE", str(tmp_path / "cache"))


def imported(source, **options):
    return import_images(source, **{"image_size": 16, "resize": "crop", "refuse_broken": False, **options})


def cached():
    """What lies in the cache but for what sources are remembered by."""
    return sorted(path.name for path in cache_folder().glob("*") if path.name != "sources")


def test_a_folder_becomes_a_data_set(tmp_path):
    data = load(imported(folder(tmp_path / "pets", each=20)))
    assert data.class_names == ("cat", "dog")
    assert data.image_shape == (3, 16, 16)
    assert [len(split) for split in (data.train, data.val, data.test)] == [28, 4, 8]
    assert data.train.images.dtype == torch.uint8
    assert data.train.labels.bincount().tolist() == [14, 14]


def test_every_image_has_its_own_label(tmp_path):
    root = folder(tmp_path / "pets", ("a", "b", "c"), 6)
    data = read(imported(root, resize="stretch"))
    expected = {}
    for label, name in enumerate("abc"):
        for path in (root / name).iterdir():
            pixels = decoding.decode(path, importing.Policy(16, "stretch")).pixels.transpose(2, 0, 1)
            expected[pixels.tobytes()] = label
    seen = {}
    for split in (data.train, data.val, data.test):
        seen |= {
            image.numpy().tobytes(): label for image, label in zip(split.images, split.labels.tolist(), strict=True)
        }
    assert seen == expected
    assert len(seen) == 18


def test_the_name_depends_on_content_and_policy_and_not_on_the_path(tmp_path):
    name = imported(folder(tmp_path / "here"))
    assert is_stored_name(name)
    assert identity(imported(folder(tmp_path / "there"))) == identity(name)
    assert name.startswith("here-")
    assert imported(tmp_path / "here", image_size=24) != name
    assert imported(tmp_path / "here", resize="pad") != name
    save(noise(99), tmp_path / "there" / "cat" / "0.png")
    assert identity(imported(tmp_path / "there")) != identity(name)


def test_other_labels_or_splits_are_other_data(tmp_path):
    names = [imported(folder(tmp_path / "one")), imported(folder(tmp_path / "two", ("cat", "wolf")))]
    (tmp_path / "one" / "cat" / "0.png").rename(tmp_path / "one" / "dog" / "10.png")
    names.append(imported(tmp_path / "one"))
    assert len(set(map(identity, names))) == 3


def test_what_was_decoded_is_not_decoded_again(tmp_path, monkeypatch):
    root = folder(tmp_path / "pets")
    name = imported(root)
    monkeypatch.setattr(decoding, "decode", lambda *_: pytest.fail("decoded again"))
    assert imported(root) == name
    monkeypatch.undo()
    monkeypatch.setenv("VIT_ABLATE_CACHE", str(tmp_path / "cache"))
    os.utime(root / "cat" / "0.png", (0, 0))
    assert imported(root) == name


def test_an_image_changed_in_place_with_its_old_date_is_noticed(tmp_path):
    root = folder(tmp_path / "pets", ending="bmp")  # files of one size
    path = root / "cat" / "0.bmp"
    name, stat = imported(root), path.stat()
    save(noise(99), path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size
    assert imported(root) != name


def test_broken_images_are_named_and_left_out(tmp_path):
    root = folder(tmp_path / "pets")
    (root / "cat" / "text.jpg").write_text("not an image")
    (root / "dog" / "empty.png").write_bytes(b"")
    name = imported(root)
    assert sorted(skipped[0] for skipped in about(name).skipped) == ["cat/text.jpg", "dog/empty.png"]
    assert sum(about(name).sizes.values()) == 20


def test_broken_images_are_refused_on_demand_even_after_they_were_skipped(tmp_path):
    root = folder(tmp_path / "pets")
    (root / "cat" / "text.jpg").write_text("not an image")
    imported(root)
    with pytest.raises(DataError, match=r"1 broken: 'cat/text\.jpg: no image"):
        imported(root, refuse_broken=True)


def test_a_broken_image_that_was_removed_is_no_longer_told_of(tmp_path):
    root = folder(tmp_path / "pets")
    (root / "cat" / "text.jpg").write_text("not an image")
    name = imported(root)
    (root / "cat" / "text.jpg").unlink()
    assert imported(root, refuse_broken=True) == name
    assert about(name).skipped == []


def test_a_class_of_broken_images_is_an_error_that_names_them(tmp_path):
    root = folder(tmp_path / "pets")
    for path in (root / "dog").iterdir():
        path.write_text("not an image")
    with pytest.raises(DataError, match=r"no image is left of 'dog'; 10 images were skipped, 'dog/"):
        imported(root)
    assert cached() == []


def test_grey_images_have_one_channel(tmp_path):
    for i in range(10):
        save(noise(i, mode="L"), tmp_path / "pets" / "cat" / f"{i}.png")
        save(noise(100 + i, mode="L").convert("RGB"), tmp_path / "pets" / "dog" / f"{i}.png")
    assert read(imported(tmp_path / "pets")).image_shape == (1, 16, 16)
    save(noise(0), tmp_path / "pets" / "dog" / "colour.png")
    assert read(imported(tmp_path / "pets")).image_shape == (3, 16, 16)


def test_all_kinds_of_images_go_together(tmp_path):
    root = folder(tmp_path / "pets")
    kinds = {"a.jpg": "L", "b.png": "RGBA", "c.png": "P", "d.png": "LA", "e.png": "1", "f.jpg": "CMYK"}
    for i, (name, mode) in enumerate(kinds.items()):
        save(
            noise(500 + i, (20 + 31 * i, 90 - 13 * i), "L" if mode == "LA" else "RGB").convert(mode),
            root / "cat" / name,
        )
    known = about(imported(root))
    assert set(known.modes) == {"RGB", "L", "RGBA", "P", "LA", "1", "CMYK"}
    assert known.skipped == []


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(28, 28)], 28),
        ([(300, 200), (400, 900)], 64),
        ([(40, 30)], 32),
        ([(500, 500)], 64),
        ([(4, 4)], 32),
        ([(29, 29)], 32),
    ],
)
def test_the_size_follows_from_the_images(tmp_path, sizes, expected):
    for i in range(12):
        save(noise(i, sizes[i % len(sizes)]), tmp_path / "pets" / ("cat", "dog")[i % 2] / f"{i}.png")
    assert read(imported(tmp_path / "pets", image_size=None)).image_shape[1:] == (expected, expected)


@pytest.mark.parametrize(("options", "words"), [({"image_size": 4}, "8 to 1024"), ({"resize": "zoom"}, "crop, pad")])
def test_a_policy_that_cannot_be_names_the_choices(tmp_path, options, words):
    with pytest.raises(DataError, match=words):
        imported(folder(tmp_path / "pets"), **options)


def test_arrays_and_the_same_images_in_a_folder_are_one_data_set(tmp_path):
    images = np.stack([np.asarray(noise(i, (16, 16))) for i in range(20)])
    np.savez(tmp_path / "pets.npz", images=images, labels=np.arange(20) // 10)
    for i, image in enumerate(images):
        save(Image.fromarray(image), tmp_path / "pets" / str(i // 10) / f"{i:02}.png")
    assert imported(tmp_path / "pets.npz") == imported(tmp_path / "pets")


def test_near_duplicates_in_another_split_are_counted(tmp_path):
    root = folder(tmp_path / "pets" / "train")
    folder(tmp_path / "pets" / "test", each=3)  # 0 to 2 of train again
    save(noise(77), root.parent / "test" / "cat" / "new.png")
    save(noise(1, (400, 300)), root.parent / "test" / "cat" / "larger.jpg", quality=80)
    assert about(imported(root.parent, image_size=32)).look_alikes["test"] == 7


def test_progress_is_told(tmp_path):
    told = []
    imported(folder(tmp_path / "pets", each=50), progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (100, 100)
    assert told == sorted(set(told))
    assert len(told) > 2


def test_a_set_that_is_not_in_the_cache_says_what_to_do():
    with pytest.raises(DataError, match="vit-ablate data FOLDER"):
        load("pets-0123456789ab")


@pytest.mark.parametrize(
    "name",
    ["pets-../../etc/passwd", "pets-0123456789AB", "../pets-0123456789ab", "0123456789ab", "a b-0123456789ab", "."],
)
def test_no_other_name_is_a_path(name):
    with pytest.raises(UnknownNameError):
        load(name)


@pytest.mark.parametrize("damage", ["about.json", "labels.npy", "images.bin"])
def test_a_damaged_cache_says_so(tmp_path, damage):
    name = imported(folder(tmp_path / "pets"))
    (cache_folder() / identity(name) / damage).write_bytes(b"torn")
    with pytest.raises(DataError, match=r"damaged.*remove it"):
        read(name)


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VIT_ABLATE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="VIT_ABLATE_CACHE=FOLDER"):
        imported(folder(tmp_path / "pets"))


def test_an_interrupt_leaves_nothing_behind(tmp_path):
    def interrupt(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        imported(folder(tmp_path / "pets"), progress=interrupt)
    assert cached() == []


def test_what_a_killed_process_left_goes_after_a_day(tmp_path):
    for name, age in ((".tmp-old", 2 * 86400), (".tmp-new", 60)):
        (cache_folder() / name).mkdir(parents=True)
        (cache_folder() / name / "decoded.bin").write_bytes(b"half")
        os.utime(cache_folder() / name, (time.time() - age,) * 2)
    name = imported(folder(tmp_path / "pets"))
    assert cached() == [".tmp-new", identity(name)]


def test_a_table_of_paths_that_cannot_be_skips_them(tmp_path):
    root = folder(tmp_path / "pets")
    rows = [f"{path},{path.parent.name}" for path in sorted(root.rglob("*.png"))]
    (tmp_path / "t.csv").write_text("\n".join(["path,label", *rows, "nowhere.png,cat", "a\0b.png,dog", f"{root},dog"]))
    assert [skipped[0] for skipped in about(imported(tmp_path / "t.csv")).skipped] == [
        "nowhere.png",
        r"a\x00b.png",
        str(root),
    ]


def test_many_may_decode_the_same_folder_at_once(tmp_path):
    root = folder(tmp_path / "pets")
    with ThreadPoolExecutor(4) as pool:
        names = set(pool.map(lambda _: imported(root), range(4)))
    assert len(names) == 1
    assert cached() == [identity(names.pop())]


def test_another_process_loads_it_by_name(tmp_path):
    name = imported(folder(tmp_path / "pets"))
    code = f"from studies.data import load; print(len(load({name!r}).train))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "14"


@pytest.mark.parametrize(
    ("title", "word"),
    [("My Pets (2026)", "my_pets_2026"), ("猫", "images"), ("Écureuils", "ecureuils"), ("-a-b-", "a_b")],
)
def test_a_name_is_safe_whatever_the_folder_is_called(tmp_path, title, word):
    name = imported(folder(tmp_path / title))
    assert name == f"{word}-{identity(name)}"
    assert re.fullmatch(STORED, name)
    assert is_stored_name(name)


def test_a_registered_name_comes_before_a_folder(tmp_path, monkeypatch):
    folder(tmp_path / "mnist")
    monkeypatch.chdir(tmp_path)
    assert name_of("mnist") == "mnist"
    assert is_stored_name(name_of("./mnist"))
    assert name_of(name_of("./mnist")) == name_of("./mnist")


def test_a_word_that_is_neither_name_nor_path_names_the_choices(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match="did you mean 'mnist'"):
        name_of("mnits")
    with pytest.raises(DataError, match="does not exist"):
        name_of("./pets")


def test_published_images_have_their_size():
    with pytest.raises(DataError, match="fixed size"):
        name_of("mnist", image_size=32)


@pytest.mark.parametrize("source", ["notes.txt", "."])
def test_a_source_of_another_kind_is_refused(tmp_path, source):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(DataError, match=r"one subfolder a class|folder of images"):
        imported(tmp_path / source)


def test_what_is_known_is_plain_json(tmp_path):
    known = json.loads((cache_folder() / identity(imported(folder(tmp_path / "pets"))) / "about.json").read_text())
    assert known["title"] == "pets"
    assert str(tmp_path) not in json.dumps(known)
    assert Path(known["title"]).name == known["title"]


def test_memory_is_that_of_the_images_in_flight(tmp_path):
    """100,000 images of 64 x 64 are 1.2 GB of pixels: none of them may stay behind in Python objects."""
    listing = importing.list_source(folder(tmp_path / "pets", each=300))
    tracemalloc.start()
    ends, _ = decoding.decode_all(listing.items, importing.Policy(64), tmp_path / "images.bin", lambda *_: None)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(ends) == 600
    assert held / len(ends) < 2000
