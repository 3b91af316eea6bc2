import contextlib
import gzip
import hashlib
import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from studies.data import DataError, Split, hold_out, load
from studies.data.idx import read_idx
from studies.data.mnist import FIX, MNIST_SHA256, mnist
from vit import UnknownNameError

SHIPPED = Path(str(resources.files("studies"))) / "datasets" / "mnist"
SMALL = "t10k-labels-idx1-ubyte.gz"


@pytest.fixture(scope="module")
def data():
    return load("mnist")


def published(name: str) -> np.ndarray:
    """A shipped file, read without the code under test."""
    content = gzip.decompress((SHIPPED / f"{name}-ubyte.gz").read_bytes())
    return np.frombuffer(content, np.uint8, offset=16 if "images" in name else 8)


def rows(*splits: Split) -> list[bytes]:
    """Image and label of every item, as bytes, sorted."""
    return sorted(
        np.append(image, label).tobytes()
        for split in splits
        for image, label in zip(split.images.flatten(1).numpy(), split.labels.byte().numpy(), strict=True)
    )


@pytest.mark.parametrize(("name", "size"), [("train", 50_000), ("val", 10_000), ("test", 10_000)])
def test_shapes_and_dtypes(data, name, size):
    split = getattr(data, name)
    assert len(split) == size
    assert split.images.shape == (size, 1, 28, 28)
    assert split.images.dtype == torch.uint8
    assert split.labels.shape == (size,)
    assert split.labels.dtype == torch.int64
    assert set(split.labels.tolist()) == set(range(10))


def test_the_set_describes_itself(data):
    assert (data.name, data.num_classes, data.image_shape) == ("mnist", 10, (1, 28, 28))


def test_test_images_are_the_published_ones_in_their_order(data):
    assert np.array_equal(data.test.images.numpy().ravel(), published("t10k-images-idx3"))
    assert np.array_equal(data.test.labels.numpy(), published("t10k-labels-idx1"))


def test_train_and_validation_are_the_published_training_set(data):
    images = published("train-images-idx3").reshape(60_000, 784)
    labels = published("train-labels-idx1")
    assert rows(data.train, data.val) == sorted(
        np.append(image, label).tobytes() for image, label in zip(images, labels, strict=True)
    )


def test_train_and_validation_share_no_image(data):
    assert set(rows(data.train)).isdisjoint(rows(data.val))


def test_validation_is_stratified(data):
    whole = torch.cat([data.train.labels, data.val.labels]).bincount()
    assert (data.val.labels.bincount() - whole / 6).abs().max() <= 1


def test_the_split_is_the_same_every_time(data):
    torch.manual_seed(1)
    again = mnist()
    assert torch.equal(again.train.images, data.train.images)
    assert torch.equal(again.val.images, data.val.images)
    assert torch.equal(again.val.labels, data.val.labels)


def test_load_reads_once(data):
    assert load("mnist") is data


def test_an_unknown_set_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'mnist'"):
        load("mnits")


def test_pixel_statistics_are_those_of_the_training_images(small_mnist):
    mean, std = small_mnist.pixel_statistics
    pixels = small_mnist.train.images.double() / 255
    assert mean.shape == std.shape == (1, 1, 1)
    assert mean.item() == pytest.approx(pixels.mean().item(), rel=1e-4)
    assert std.item() == pytest.approx(pixels.std().item(), rel=1e-4)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.data())
def test_hold_out_is_a_stratified_partition(labels, drawn):
    size = drawn.draw(st.integers(0, len(labels)))
    whole = Split(torch.arange(len(labels))[:, None, None, None], torch.tensor(labels))
    rest, held = hold_out(whole, size)
    assert len(held) == size
    assert sorted(rest.images.flatten().tolist() + held.images.flatten().tolist()) == list(range(len(labels)))
    for split in (rest, held):
        assert torch.equal(split.labels, whole.labels[split.images.flatten()])
    expected = whole.labels.bincount(minlength=5) * size / len(labels)
    assert (held.labels.bincount(minlength=5) - expected).abs().max() <= 1


def damaged(tmp_path: Path, content: bytes) -> Path:
    file = tmp_path / SMALL
    file.write_bytes(content)
    return file


def refusal(file: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_idx(file, MNIST_SHA256[file.name], FIX)
    message = str(caught.value)
    assert str(file) in message
    assert MNIST_SHA256[file.name] in message
    assert "git checkout -- studies/datasets" in message
    return message


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_truncated_file_names_both_digests(tmp_path, share):
    whole = (SHIPPED / SMALL).read_bytes()
    assert "sha256 is" in refusal(damaged(tmp_path, whole[: int(share * len(whole))]))


def test_one_altered_value_names_both_digests(tmp_path):
    content = bytearray(gzip.decompress((SHIPPED / SMALL).read_bytes()))
    content[100] ^= 1
    assert hashlib.sha256(content).hexdigest() in refusal(damaged(tmp_path, gzip.compress(content)))


def test_a_file_that_is_no_gzip_is_refused(tmp_path):
    assert "cannot be read" in refusal(damaged(tmp_path, b"<html>404</html>"))


def test_another_published_file_under_this_name_is_refused(tmp_path):
    other = SHIPPED / "train-labels-idx1-ubyte.gz"
    assert MNIST_SHA256[other.name] in refusal(damaged(tmp_path, other.read_bytes()))


@given(st.data())
def test_any_flipped_bit_or_cut_is_refused_or_harmless(tmp_path_factory, drawn):
    whole = bytearray((SHIPPED / SMALL).read_bytes())
    place = drawn.draw(st.integers(0, len(whole) - 1))
    if drawn.draw(st.booleans()):
        del whole[place:]
    else:
        whole[place] ^= 1 << drawn.draw(st.integers(0, 7))
    file = damaged(tmp_path_factory.mktemp("flip"), bytes(whole))
    with contextlib.suppress(DataError):  # anything else fails: another error, other labels
        labels = read_idx(file, MNIST_SHA256[SMALL], FIX)  # the gzip header's time stamp may differ
        assert np.array_equal(labels.numpy(), published("t10k-labels-idx1"))


@pytest.mark.parametrize("missing", MNIST_SHA256)
def test_a_missing_file_is_named(tmp_path, missing):
    for name in MNIST_SHA256:
        if name != missing:
            shutil.copy(SHIPPED / name, tmp_path)
    with pytest.raises(DataError) as caught:
        mnist(tmp_path)
    message = str(caught.value)
    assert str(tmp_path / missing) in message
    assert MNIST_SHA256[missing] in message
    assert "install vit-ablate again" in message
