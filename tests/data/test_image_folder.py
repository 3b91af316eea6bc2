"""What a folder, a table and an archive of arrays are found to hold."""

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photos import folder, noise, save
from studies.data import DataError
from studies.data.own.arrays import list_arrays
from studies.data.own.folder import list_folder
from studies.data.own.items import Item, Listing, printable
from studies.data.own.splits import assign_splits, stratified
from studies.data.own.table import list_table


def test_a_subfolder_is_a_class(tmp_path):
    listing = list_folder(folder(tmp_path / "pets"))
    assert listing.title == "pets"
    assert listing.class_names == ["cat", "dog"]
    assert listing.count(None) == {"cat": 10, "dog": 10}


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Training", "valid", "testing"), ("train", "dev", "test")]
)
def test_folders_of_splits_are_seen(tmp_path, names):
    for name, each in zip(names, (6, 2, 3), strict=True):
        folder(tmp_path / name, each=each)
    listing = list_folder(tmp_path)
    assert [listing.count(split).total() for split in ("train", "val", "test")] == [12, 4, 6]


def test_a_class_may_be_called_train(tmp_path):
    assert list_folder(folder(tmp_path, ("plane", "train"))).class_names == ["plane", "train"]


def test_images_may_lie_deeper(tmp_path):
    folder(tmp_path)
    save(noise(7), tmp_path / "cat" / "session 2" / "1.png")
    assert list_folder(tmp_path).count(None)["cat"] == 11


def test_hidden_files_and_other_endings_are_no_images(tmp_path):
    folder(tmp_path)
    for name in (".DS_Store", "._0.png", "Thumbs.db", "notes.txt", ".hidden/0.png"):
        (tmp_path / "cat" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "cat" / name).write_text("no image")
    (tmp_path / ".git").mkdir()
    listing = list_folder(tmp_path)
    assert listing.count(None) == {"cat": 10, "dog": 10}
    assert listing.skipped == []


def test_classes_that_are_numbers_are_in_their_order(tmp_path):
    assert list_folder(folder(tmp_path, ("10", "9", "-1"), 1)).class_names == ["-1", "9", "10"]


def test_names_in_any_script_are_kept_composed(tmp_path):
    decomposed = "e\u0301cureuil"
    listing = list_folder(folder(tmp_path, (decomposed, "犬", "кот")))
    assert listing.class_names == ["écureuil", "кот", "犬"]


@pytest.mark.skipif(os.name == "nt", reason="names are text on Windows")
def test_a_name_that_is_no_text_can_be_printed(tmp_path):
    folder(tmp_path)
    (tmp_path / "cat" / "0.png").rename(tmp_path / "cat" / os.fsdecode(b"\xff.png"))
    names = [item.name for item in list_folder(tmp_path).items]
    assert "cat/\\xff.png" in names
    assert "\n".join(names).encode()


def test_a_circle_of_links_ends(tmp_path):
    folder(tmp_path)
    (tmp_path / "cat" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "dog" / "self").symlink_to(tmp_path / "dog", target_is_directory=True)
    (tmp_path / "dog" / "loop.png").symlink_to(tmp_path / "dog" / "loop.png")
    listing = list_folder(tmp_path)
    assert listing.count(None) == {"cat": 10, "dog": 10}
    assert [skipped.name for skipped in listing.skipped] == ["dog/loop.png"]


def test_a_link_that_leads_nowhere_is_named(tmp_path):
    folder(tmp_path)
    (tmp_path / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert [(s.name, s.reason) for s in list_folder(tmp_path).skipped] == [
        ("cat/gone.png", "a link that leads nowhere")
    ]


def test_a_pipe_is_not_waited_for(tmp_path):
    folder(tmp_path)
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    assert [skipped.reason for skipped in list_folder(tmp_path).skipped] == ["no regular file"]


def test_photos_of_a_format_that_is_not_read_are_named(tmp_path):
    folder(tmp_path / "some")
    (tmp_path / "some" / "cat" / "1.HEIC").write_bytes(b"photo")
    assert [(s.name, "JPEG" in s.reason) for s in list_folder(tmp_path / "some").skipped] == [("cat/1.HEIC", True)]
    (tmp_path / "all" / "cat").mkdir(parents=True)
    (tmp_path / "all" / "cat" / "1.heic").write_bytes(b"photo")
    with pytest.raises(DataError, match=r"cat/1\.heic: \.heic is not read"):
        list_folder(tmp_path / "all")


@pytest.mark.parametrize("make", ["empty", "loose", "classes without images"])
def test_a_folder_without_images_says_what_is_expected(tmp_path, make):
    if make == "loose":
        save(noise(0), tmp_path / "0.png")
    elif make == "classes without images":
        (tmp_path / "cat").mkdir()
    with pytest.raises(DataError, match="one subfolder a class"):
        list_folder(tmp_path)


def listing(**counts: int) -> Listing:
    return Listing("t", [Item(f"{label}{i}", np.zeros(0), label) for label, n in counts.items() for i in range(n)])


def test_a_fifth_is_held_out_for_test_and_a_tenth_for_validation():
    made = assign_splits(listing(a=100, b=50))
    assert {split: dict(made.count(split)) for split in ("train", "val", "test")} == {
        "train": {"a": 70, "b": 35},
        "val": {"a": 10, "b": 5},
        "test": {"a": 20, "b": 10},
    }
    assert [item.label for item in made.items] == ["a"] * 100 + ["b"] * 50


def test_what_is_given_stands(tmp_path):
    folder(tmp_path / "train")
    folder(tmp_path / "test", each=4)
    made = assign_splits(list_folder(tmp_path))
    assert {item.name.split("/")[0] for item in made.items if item.split == "test"} == {"test"}
    assert {item.name.split("/")[0] for item in made.items if item.split == "val"} == {"train"}


def test_every_class_is_in_every_split():
    made = assign_splits(listing(common=400, rare=3))
    assert [made.count(split)["rare"] for split in ("train", "val", "test")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("counts", "words"),
    [({"a": 9}, "only one class, 'a'"), ({"a": 9, "b": 1}, "too few images of 'b'"), ({"a": 9, "b": 2}, "at least 3")],
)
def test_classes_that_cannot_be_are_refused(counts, words):
    with pytest.raises(DataError, match=words):
        assign_splits(listing(**counts))


def test_a_label_that_train_does_not_have_is_refused(tmp_path):
    folder(tmp_path / "train")
    folder(tmp_path / "test", ("cat", "fox"))
    with pytest.raises(DataError, match="'fox' occur"):
        assign_splits(list_folder(tmp_path))


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=200), st.floats(0.01, 0.9), st.integers(1, 300))
def test_a_stratified_sample_has_some_of_each_class_and_never_all(labels, share, most):
    held = stratified(labels, share, most)
    assert held == sorted(set(held))
    for label in set(labels):
        where = [i for i, own in enumerate(labels) if own == label]
        taken = len(set(held) & set(where))
        expected = min(share, most / len(labels)) * len(where)
        assert taken <= len(where) - 1
        assert taken == min(max(1, round(expected)), len(where) - 1)
    assert held == stratified(labels, share, most)


@given(st.binary(max_size=20))
def test_any_name_can_be_printed_and_equal_names_stay_equal(name):
    text = printable(name.decode("utf-8", "surrogateescape"))
    text.encode()
    assert printable(text) == text


def table(tmp_path, ending="csv", **columns):
    folder(tmp_path)
    frame = pd.DataFrame({"path": ["cat/0.png", "cat/1.png", "dog/0.png"], "label": ["cat", "cat", "dog"], **columns})
    file = tmp_path / f"table.{ending}"
    frame.to_parquet(file) if ending == "parquet" else frame.to_csv(file, index=False)
    return file


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_names_images_by_paths_from_where_it_lies(tmp_path, ending):
    made = list_table(table(tmp_path, ending, split=["train", "Val", "test"]))
    assert [(item.name, item.label, item.split) for item in made.items] == [
        ("cat/0.png", "cat", "train"),
        ("cat/1.png", "cat", "val"),
        ("dog/0.png", "dog", "test"),
    ]
    assert all(item.source.is_file() for item in made.items)


def test_labels_that_are_numbers_are_names(tmp_path):
    assert list_table(table(tmp_path, "parquet", label=[10, 9, 9])).class_names == ["9", "10"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("file,label\na,b\n", "no column 'path'"),
        ("path,class\na,b\n", "no column 'label'"),
        ("path,label\na,\n", "row 1 has no label"),
        ("path,label,split\na,b,holdout\n", "split 'holdout'; choices"),
        ("path,label\n", "no rows"),
        ("", "cannot be read"),
        ("path,label\na,b,c,d\ne,f\n\x00", "column|no|read"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path, content, words):
    file = tmp_path / "table.csv"
    file.write_text(content)
    with pytest.raises(DataError, match=words):
        list_table(file)


def arrays(tmp_path, **content):
    np.savez(tmp_path / "set.npz", **content)
    return tmp_path / "set.npz"


IMAGES, LABELS = np.arange(4 * 64, dtype=np.uint8).reshape(4, 8, 8), np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("images", "labels"), [None] * 4),
        (("x_train", "y_train"), ["train"] * 4),
        (("train_images", "train_labels"), ["train"] * 4),
    ],
)
def test_arrays_are_found_by_their_usual_names(tmp_path, names, splits):
    made = list_arrays(arrays(tmp_path, **{names[0]: IMAGES, names[1]: LABELS[:, None]}))
    assert [item.split for item in made.items] == splits
    assert [item.label for item in made.items] == ["0", "1", "0", "1"]
    assert np.array_equal(made.items[2].source, IMAGES[2])


@pytest.mark.parametrize("shape", [(4, 8, 8, 3), (4, 3, 8, 8), (4, 8, 8, 1), (4, 1, 8, 8)])
def test_channels_may_come_first_or_last(tmp_path, shape):
    channels = {1, 3} & {shape[1], shape[3]}
    made = list_arrays(arrays(tmp_path, images=np.zeros(shape, np.uint8), labels=LABELS))
    assert made.items[0].source.shape == ((8, 8) if channels == {1} else (8, 8, 3))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"images": IMAGES.astype(np.float32), "labels": LABELS}, "must be uint8"),
        ({"images": IMAGES[0], "labels": LABELS}, "must be uint8"),
        ({"images": IMAGES, "labels": LABELS[:3]}, "an integer an image"),
        ({"images": IMAGES, "labels": LABELS + 0.5}, "an integer an image"),
        ({"images": IMAGES, "labels": np.array([{}, 1, 2, 3], object)}, "allow_pickle=False"),
        ({"images": np.zeros((4, 8, 8, 7), np.uint8), "labels": LABELS}, "channels"),
        ({"pictures": IMAGES}, "'pictures'"),
    ],
)
def test_arrays_that_cannot_be_used_say_why(tmp_path, content, words):
    with pytest.raises(DataError, match=words):
        list_arrays(arrays(tmp_path, **content))


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "set.npz").write_bytes(b"no zip")
    with pytest.raises(DataError, match="cannot be read as arrays"):
        list_arrays(tmp_path / "set.npz")
