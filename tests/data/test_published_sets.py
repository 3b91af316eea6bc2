"""Published files: found, fetched, checked, read."""

import gzip
import hashlib
import http.server
import io
import struct
import tarfile
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from studies.data import DataError, cifar10, fashion_mnist, fetching
from studies.data.fetching import Published, obtain
from studies.data.places import look_first_in

CONTENT = b"published"
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("VIT_ABLATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VIT_ABLATE_DATA", raising=False)


@pytest.fixture
def site(tmp_path):
    """A web server of this machine that publishes one file."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "file.gz").write_bytes(CONTENT)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def published(site: str, digest: str = DIGEST) -> Published:
    return Published("file.gz", f"{site}/file.gz", digest)


def put(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "file.gz").write_bytes(CONTENT)
    return folder / "file.gz"


@pytest.mark.parametrize("below", ["", "set"])
def test_a_file_in_a_named_folder_is_found_without_a_network(tmp_path, monkeypatch, below):
    there = put(tmp_path / "mine" / below)
    monkeypatch.setenv("VIT_ABLATE_DATA", f"{tmp_path / 'empty'}:{tmp_path / 'mine'}")
    assert obtain(published(NOWHERE), "set") == there


def test_the_folder_typed_comes_before_the_others(tmp_path, monkeypatch):
    put(tmp_path / "second")
    first = put(tmp_path / "first")
    monkeypatch.setenv("VIT_ABLATE_DATA", str(tmp_path / "second"))
    look_first_in(tmp_path / "first")
    assert obtain(published(NOWHERE), "set") == first


def test_a_file_is_fetched_once(site, tmp_path):
    file = obtain(published(site), "set")
    assert file.read_bytes() == CONTENT
    assert file.is_relative_to(tmp_path / "cache")
    assert obtain(published(NOWHERE), "set") == file


def test_another_file_at_the_address_is_refused_and_not_kept(site, tmp_path):
    with pytest.raises(DataError, match="does not match the known hash"):
        obtain(published(site, "sha256:" + "0" * 64), "set")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("where", [NOWHERE, "http://127.0.0.1:9/\n"])
def test_without_a_network_one_line_says_what_to_do(where):
    with pytest.raises(DataError) as caught:
        obtain(published(where), "set")
    message = str(caught.value)
    assert "\n" not in message.replace(where, "")
    assert "--data-dir" in message
    assert "VIT_ABLATE_DATA" in message


def test_offline_nothing_is_fetched(site):
    with fetching.offline(), pytest.raises(DataError, match="is not on this machine"):
        obtain(published(site), "set")
    assert obtain(published(site), "set").read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written_is_named(site, tmp_path):
    (tmp_path / "cache").write_text("a file in its place")
    with pytest.raises(DataError, match="cannot be fetched"):
        obtain(published(site), "set")


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{values.ndim}i", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


@pytest.fixture
def small_fashion(tmp_path, monkeypatch):
    """Four files of the official format, with few images, and their digests in place of the official ones."""
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    random, digests = np.random.default_rng(0), {}
    for part, count in (("train", 12_000), ("t10k", 50)):
        for kind, values in (
            ("images-idx3", random.integers(0, 256, (count, 28, 28), np.uint8)),
            ("labels-idx1", (np.arange(count) % 10).astype(np.uint8)),
        ):
            name = f"{part}-{kind}-ubyte.gz"
            (folder / name).write_bytes(gzip.compress(idx(values), 1))
            digests[name] = ("0" * 32, hashlib.sha256(idx(values)).hexdigest())
    monkeypatch.setattr(fashion_mnist, "FILES", digests)
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "no-debian")
    monkeypatch.setenv("VIT_ABLATE_DATA", str(tmp_path))
    return folder


def test_fashion_mnist_is_read_from_the_official_format(small_fashion):
    data = fashion_mnist.fashion_mnist()
    assert (data.name, data.image_shape, data.num_classes) == ("fashion-mnist", (1, 28, 28), 10)
    assert [len(split) for split in (data.train, data.val, data.test)] == [2_000, 10_000, 50]
    assert data.test.labels.tolist() == [i % 10 for i in range(50)]
    assert data.class_names[9] == "ankle boot"


def test_a_damaged_file_of_fashion_mnist_is_refused(small_fashion):
    file = small_fashion / "t10k-labels-idx1-ubyte.gz"
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:-1]))
    with pytest.raises(DataError, match=r"t10k-labels.*expected.*remove"):
        fashion_mnist.fashion_mnist()


@pytest.mark.skipif(not fashion_mnist.DEBIAN.exists(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_mnist_of_debian_is_the_published_one():
    data = fashion_mnist.fashion_mnist()
    assert [len(split) for split in (data.train, data.val, data.test)] == [50_000, 10_000, 10_000]
    assert data.test.labels.bincount().tolist() == [1000] * 10


def records(count: int, seed: int) -> np.ndarray:
    """Images in CIFAR's binary format: a label, then three planes."""
    found = np.random.default_rng(seed).integers(0, 256, (count, cifar10.RECORD), np.uint8)
    found[:, 0] = np.arange(count) % 10
    return found


def archive(tmp_path: Path, files: dict[str, bytes]) -> tuple[Path, str]:
    file = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(file, "w:gz") as out:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("cifar-10-batches-bin/link.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(link)
    return file, hashlib.sha256(file.read_bytes()).hexdigest()


def official(**changed: bytes) -> dict[str, bytes]:
    names = [*cifar10.TRAIN, *cifar10.TEST]
    files = {f"cifar-10-batches-bin/{name}": records(20, i).tobytes() for i, name in enumerate(names)}
    return files | {"cifar-10-batches-bin/batches.meta.txt": b"airplane\n"} | changed


def test_cifar10_is_read_from_the_official_format(tmp_path):
    data = cifar10.read_archive(*archive(tmp_path, official()))
    assert [len(split) for split in (data.train, data.val, data.test)] == [80, 20, 20]
    expected = records(20, 5)
    assert data.test.labels.tolist() == expected[:, 0].tolist()
    assert torch.equal(data.test.images[3, 1, 0], torch.from_numpy(expected[3, 1 + 1024 : 1 + 1024 + 32]))  # green
    assert data.val.labels.bincount().tolist() == [2] * 10


def test_no_member_of_an_archive_is_written(tmp_path):
    hostile = {"../../evil.bin": b"x", "/tmp/evil.bin": b"x"}
    made = archive(tmp_path, official(**hostile))
    before = {path for path in tmp_path.parent.rglob("*") if "cache" not in path.parts}
    cifar10.read_archive(*made)
    assert {path for path in tmp_path.parent.rglob("*") if "cache" not in path.parts} == before
    assert not Path("/tmp/evil.bin").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"cifar-10-batches-bin/test_batch.bin": b"short"},
        {"cifar-10-batches-bin/test_batch.bin": b""},
        {"cifar-10-batches-bin/test_batch.bin": bytes([10]) * 3073},
    ],
)
def test_an_archive_with_other_content_is_refused(tmp_path, change):
    with pytest.raises(DataError, match="no archive of CIFAR-10"):
        cifar10.read_archive(*archive(tmp_path, official(**change)))


def test_an_archive_without_a_batch_is_refused(tmp_path):
    files = official()
    del files["cifar-10-batches-bin/data_batch_3.bin"]
    with pytest.raises(DataError, match="data_batch_3"):
        cifar10.read_archive(*archive(tmp_path, files))


def test_another_archive_is_refused_before_it_is_opened(tmp_path):
    file, _ = archive(tmp_path, official())
    with pytest.raises(DataError, match="expected c4a38c50"):
        cifar10.read_archive(file, cifar10.SHA256)


def test_a_truncated_archive_is_refused(tmp_path):
    file, _ = archive(tmp_path, official())
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(DataError, match="remove"):
        cifar10.read_archive(file, hashlib.sha256(file.read_bytes()).hexdigest())
