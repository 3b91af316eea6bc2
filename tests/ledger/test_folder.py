from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import studies.catalog  # noqa: F401  registers the studies
from studies.design.expand import expand
from studies.design.study import STUDIES
from studies.ledger.entries import LedgerError
from studies.ledger.folder import ResultsFolder, file_name, folders

ARMS = st.lists(st.text(max_size=12), min_size=1, max_size=4).map("/".join)
RISKY = st.text(st.sampled_from("a_/.~-A"), max_size=6)


@pytest.mark.parametrize(
    ("arm", "name"),
    [
        ("tiles/learned/cls", "tiles_learned_cls"),
        ("14x28/0.01", "14x28_0.01"),
        ("float32/True", "float32_True"),
        ("baseline", "baseline"),
        ("pooling=max", "pooling=max"),
    ],
)
def test_the_name_of_an_ordinary_arm_can_be_read(arm, name):
    assert file_name(arm) == name


def test_every_arm_of_the_catalog_is_an_ordinary_one():
    arms = {cell.name for study in STUDIES.values() for cell in expand(study, "cpu").cells}
    assert [arm for arm in arms if "_" not in arm and file_name(arm) != arm.replace("/", "_")] == []


@given(st.one_of(ARMS, RISKY), st.one_of(ARMS, RISKY))
def test_two_arms_never_share_a_file_and_none_leaves_the_folder(a, b):
    assert (file_name(a).lower() == file_name(b).lower()) is (a == b)
    folder = ResultsFolder(Path("/results/study"))
    assert folder.weights(a).parent == folder.path / "weights"
    assert folder.pictures(a).resolve().parent == folder.path / "pictures"
    assert len(folder.weights(a).name.encode()) < 256


@pytest.mark.parametrize(("a", "b"), [("a_b/c", "a/b_c"), ("a/b", "a_b"), ("A", "a"), ("../x", ".._x"), ("", "_")])
def test_arms_that_look_alike_are_told_apart(a, b):
    assert file_name(a).lower() != file_name(b).lower()


def test_the_layout_is_what_people_know():
    folder = ResultsFolder(Path("results/pooling-mnist-cpu"))
    found = {
        folder.storage,
        folder.parquet,
        folder.provenance,
        folder.readme,
        folder.page,
        folder.figures,
        *map(folder.table, ("runs", "cells", "contrasts")),
        folder.weights("tiles/cls"),
        folder.pictures("tiles/cls"),
    }
    names = "study.db runs.parquet provenance.json README.md report.html figures runs.csv cells.csv contrasts.csv"
    names += " weights/tiles_cls.safetensors pictures/tiles_cls"
    assert found == {folder.path / name for name in names.split()}


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@host/db", "sqlite:///study.db", "mysql+pymysql://me:secret@h/d"]
)
def test_the_url_of_a_storage_is_no_folder(url):
    with pytest.raises(LedgerError, match=r"://\.\.\. is the URL of a storage: results are a folder") as refused:
        ResultsFolder(Path(url))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("path", ["results", "/a:b/c", "C:/results", "../x", "a:b"])
def test_paths_are_folders(path):
    assert ResultsFolder(Path(path)).path == Path(path)


def test_folders_are_found_by_what_they_hold(tmp_path):
    for name in ("b-study", "a-tables", "nothing"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "b-study" / "study.db").touch()
    (tmp_path / "a-tables" / "runs.csv").touch()
    assert [(f.name, f.holds_study, f.holds_results) for f in folders(tmp_path)] == [
        ("a-tables", False, True),
        ("b-study", True, False),
        ("nothing", False, False),
    ]
    assert folders(tmp_path / "nowhere") == []
