"""Images, names, folders and disks that are against it: a clear line or a counted skip, and nothing half-written."""

import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import disks
import tiny
from photos import bomb, folder, noise, save
from studies.data import DataError, identity
from studies.data.own.arrays import list_arrays
from studies.data.own.importing import import_images
from studies.data.own.items import printable
from studies.data.own.store import about, cache_folder, read


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VIT_ABLATE_CACHE", str(tmp_path / "cache"))


def imported(source: Path, image_size: int = 16, refuse_broken: bool = False) -> str:
    return import_images(source, image_size, "crop", refuse_broken)


def half_written() -> list[str]:
    """What lies in the cache but for whole data sets and what sources are remembered by."""
    found = cache_folder().rglob("*") if cache_folder().exists() else []
    return [path.name for path in found if path.name.startswith(".tmp")]


BAD = {"text.jpg": (b"no image", "known format"), "bomb.png": (bomb(40_000), "bomb"), "0.gif": (b"", "empty")}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_counted_and_changes_nothing_else(tmp_path, name):
    content, reason = BAD[name]
    good = identity(imported(folder(tmp_path / "pets")))
    (tmp_path / "pets" / "cat" / name).write_bytes(content)
    stored = imported(tmp_path / "pets")
    ((skipped, why),) = about(stored).skipped
    assert (skipped, identity(stored)) == (f"cat/{name}", good)
    assert reason in why


@pytest.mark.parametrize(
    ("classes", "more", "words"),
    [
        ((), 0, "one subfolder a class"),
        (("cat",), 0, "only one class, 'cat'"),
        (("cat", "dog"), 1, "too few images of 'fox': a class needs at least 3"),
    ],
)
def test_a_folder_of_too_little_is_refused_before_anything_is_written(tmp_path, classes, more, words):
    (tmp_path / "pets").mkdir()
    folder(tmp_path / "pets", classes)
    folder(tmp_path / "pets", ("fox",), more)
    with pytest.raises(DataError, match=words):
        imported(tmp_path / "pets")
    assert not cache_folder().exists()


def test_a_label_of_a_table_that_train_does_not_have_is_refused(tmp_path):
    root = folder(tmp_path / "pets")
    rows = [f"{path},{path.parent.name},train" for path in sorted(root.rglob("*.png"))]
    (tmp_path / "t.csv").write_text(
        "\n".join(["path,label,split", *rows, f"{save(noise(99), root / 'a.png')},fox,test"])
    )
    with pytest.raises(DataError, match="'fox' occur in validation or test images but in no training image"):
        imported(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("again", "words"),
    [
        (
            "cat/0.png,dog,train",
            r"t\.csv: cat/0\.png is listed as 'cat' and as 'dog'; an image has one label: keep one",
        ),
        (
            "./dog/../cat/0.png,dog,train",
            r"cat/0\.png, which is \./dog/\.\./cat/0\.png, is listed as 'cat' and as 'dog';",
        ),
        ("hard.png,dog,train\nsoft.png,dog,train", r"which is hard\.png, .* \(and 1 more\);"),
        ("cat/0.png,cat,test", r"cat/0\.png is listed in 'train' and in 'test'; an image is in one split: keep one"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_under_two_labels_or_in_two_splits_is_refused(tmp_path, ending, again, words):
    root = folder(tmp_path)
    (root / "hard.png").hardlink_to(root / "cat" / "0.png")
    (root / "soft.png").symlink_to(root / "cat" / "1.png")
    rows = [f"{path.relative_to(root)},{path.parent.name},train" for path in sorted(root.glob("*/*.png"))]
    source = tmp_path / "t.csv"
    source.write_text("\n".join(["path,label,split", *rows, again]))
    if ending == "parquet":
        source, words = tmp_path / "t.parquet", words.replace("csv", "parquet")
        pd.read_csv(tmp_path / "t.csv", dtype=str).to_parquet(source)
    with pytest.raises(DataError, match=words):
        imported(source)
    assert not cache_folder().exists()


def test_a_file_listed_again_counts_once_and_is_named(tmp_path):
    root = folder(tmp_path)
    rows = [f"{path.relative_to(root)},{path.parent.name}" for path in sorted(root.glob("*/*.png"))]
    (tmp_path / "once.csv").write_text("\n".join(["path,label", *rows]))
    (tmp_path / "twice.csv").write_text("\n".join(["path,label", *rows, "./cat/3.png,cat"]))
    once, twice = imported(tmp_path / "once.csv"), imported(tmp_path / "twice.csv")
    assert about(twice).skipped == [["./cat/3.png", "the same file as cat/3.png, counted once"]]
    assert identity(once) == identity(twice)
    with pytest.raises(DataError, match=r"1 broken: .*the same file as cat/3"):
        imported(tmp_path / "twice.csv", refuse_broken=True)


def test_a_folder_that_links_one_image_into_two_classes_is_refused(tmp_path):
    root = folder(tmp_path / "pets")
    (root / "dog" / "too.png").symlink_to(root / "cat" / "0.png")
    with pytest.raises(DataError, match=r"cat/0\.png, which is dog/too\.png, is listed as 'cat' and as 'dog'"):
        imported(root)


def test_a_link_to_itself_is_no_class_and_no_source(tmp_path):
    root = folder(tmp_path / "pets")
    (root / "fox").symlink_to(root / "fox")
    assert about(imported(root)).class_names == ["cat", "dog"]
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(DataError, match="loop does not exist"):
        imported(tmp_path / "loop")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_a_table_names_is_not_waited_for(tmp_path):
    root = folder(tmp_path / "pets")
    os.mkfifo(tmp_path / "pipe.png")
    rows = [f"{path},{path.parent.name}" for path in sorted(root.rglob("*.png"))]
    (tmp_path / "t.csv").write_text("\n".join(["path,label", *rows, "pipe.png,cat", "/dev/zero,cat", "gone.png,cat"]))
    assert [tuple(skipped) for skipped in about(imported(tmp_path / "t.csv")).skipped] == [
        ("pipe.png", "no regular file"),
        ("/dev/zero", "no regular file"),
        ("gone.png", "No such file or directory"),
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a\nb", r"a\nb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("gpj\u202egnp", r"gpj\u202egnp"),
        ("line\u2028end", r"line\u2028end"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("犬 кот é", "犬 кот é"),
    ],
)
def test_a_name_moves_no_line(name, told):
    assert printable(name) == told


def test_names_in_any_script_go_through_to_the_picture(tmp_path, capsys, recwarn):
    root = folder(tmp_path / "私の ペット", ("猫", "\x1b[31mпёс\n"))
    (root / "猫" / "x\u202egnp.jpg").write_text("no image")
    assert tiny.vit_ablate("data", str(root), "--image-size", "16", "--to", str(tmp_path / "pictures")) == 0
    told = capsys.readouterr().out
    assert "猫" in told
    assert r"\x1b[31mпёс\n" in told
    assert r"猫/x\u202egnp.jpg: no image" in told
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 1
    assert [str(warning.message) for warning in recwarn if "Glyph" in str(warning.message)] == []


def archive(file: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(file, "w") as opened:
        for name, content in members.items():
            opened.writestr(f"{name}.npy", content)
    return file


def test_arrays_that_claim_more_than_the_memory_are_refused(tmp_path):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (100000000000, 28, 28), }".ljust(117) + b"\n"
    file = archive(tmp_path / "set.npz", images=b"\x93NUMPY\x01\x00\x76\x00" + header, labels=b"")
    with pytest.raises(DataError, match=r"set\.npz: cannot be read as arrays: .*memory"):
        list_arrays(file)


@pytest.mark.parametrize("shape", [(0, 8, 8), (4, 0, 8)])
def test_arrays_without_a_pixel_are_refused(tmp_path, shape):
    np.savez(tmp_path / "set.npz", images=np.zeros(shape, np.uint8), labels=np.zeros(shape[0], int))
    with pytest.raises(DataError, match="holds no pixel"):
        list_arrays(tmp_path / "set.npz")


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """A disk of 256 KiB with the cache on it."""
    with disks.small_disk(tmp_path / "disk", "256k") as place:
        monkeypatch.setenv("VIT_ABLATE_CACHE", str(place / "cache"))
        yield place


def refusal(source: Path) -> str:
    """Why it is not imported; nothing if it is."""
    try:
        imported(source)
    except DataError as error:
        return str(error)
    return ""


def test_a_disk_that_fills_at_any_point_leaves_nothing_behind(tmp_path, small_disk):
    root, refused = folder(tmp_path / "pets"), 0
    for free in range(0, 64, 4):  # KiB: no folder, half of the pixels, all of them, what is known of them
        filler = disks.fill(small_disk, free * 1024)
        told = refusal(root)
        filler.unlink()
        assert half_written() == []
        if not told:
            break
        refused += 1
        assert "No space left on device; make room or name another: VIT_ABLATE_CACHE=FOLDER" in told
    assert refused > 3
    assert len(read(imported(root)).train) == 14


def test_a_write_protected_cache_serves_what_it_has_and_says_what_it_cannot(tmp_path, small_disk):
    root = folder(tmp_path / "pets")
    name = imported(root)
    disks.write_protect(small_disk)
    assert imported(root) == name
    assert len(read(name).train) == 14
    with pytest.raises(DataError, match="Read-only file system; make room or name another"):
        imported(root, image_size=24)
    assert half_written() == []


@pytest.fixture
def open_folder(monkeypatch):
    """A folder that everybody can reach, unlike pytest's own, with the cache below it."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        monkeypatch.setenv("VIT_ABLATE_CACHE", str(place / "cache"))
        yield place


@pytest.mark.skipif(os.name == "nt", reason="other permissions on Windows")
def test_without_permission_to_write_the_cache_serves_what_it_has(open_folder):
    root = folder(open_folder / "pets")
    name = imported(root)
    cache_folder().chmod(0o500)
    with disks.not_root(cache_folder()):
        assert imported(root) == name
        assert len(read(name).train) == 14
        with pytest.raises(DataError, match="cache cannot be written: Permission denied; make room or name another"):
            imported(root, image_size=24)
    cache_folder().chmod(0o700)
    assert half_written() == []


@pytest.mark.skipif(os.name == "nt", reason="other permissions on Windows")
def test_what_may_not_be_read_is_named(open_folder):
    root = folder(open_folder / "pets")
    save(noise(5), root / "cat" / "secret.png").chmod(0)
    with disks.not_root(root / "cat" / "secret.png", root / "dog", open_folder):
        assert [tuple(skipped) for skipped in about(imported(root)).skipped] == [
            ("cat/secret.png", "Permission denied")
        ]
        (root / "dog").chmod(0)
        with pytest.raises(DataError, match="dog: cannot be read: Permission denied"):
            imported(root)
        (root / "dog").chmod(0o755)
