"""Fashion-MNIST as published, the digest of every file checked."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from studies.data.dataset import DATASETS, DataSet, Split, hold_out
from studies.data.fetching import Published, obtain
from studies.data.idx import read_idx

SITE = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts the four files, compressed anew: same content."""
CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
FILES = {
    "train-images-idx3-ubyte.gz": (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    "train-labels-idx1-ubyte.gz": (
        "25c81989df183df01b3e8a0aad5dffbe",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "t10k-images-idx3-ubyte.gz": (
        "bef4ecab320f06d8554ea6380940ec79",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "bb300cfdad3c16e7a12a480ee83cd310",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
"""Name: MD5 of the published file, sha256 of what is in it."""


@DATASETS.register("fashion-mnist")
def fashion_mnist() -> DataSet:
    """Fashion-MNIST (Xiao et al., arXiv 1708.07747; MIT): 50,000 train, 10,000 validation, 10,000 test, 28 x 28 x 1."""
    train, val = hold_out(Split(_read("train-images-idx3")[:, None], _read("train-labels-idx1").long()), 10_000)
    test = Split(_read("t10k-images-idx3")[:, None], _read("t10k-labels-idx1").long())
    return DataSet("fashion-mnist", 10, train, val, test, CLASSES)


def _read(stem: str) -> Tensor:
    name = f"{stem}-ubyte.gz"
    md5, sha256 = FILES[name]
    file = obtain(Published(name, f"{SITE}/{name}", f"md5:{md5}"), "fashion-mnist", [DEBIAN])
    return read_idx(file, sha256, f"remove {file}, and it is fetched again")
