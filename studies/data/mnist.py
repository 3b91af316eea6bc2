"""MNIST as published, the digest of every file checked."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable

from studies.data.dataset import DATASETS, DataSet, Split, hold_out
from studies.data.idx import read_idx

MNIST_SHA256 = {
    "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

FIX = "restore it with `git checkout -- studies/datasets` or install vit-ablate again"


@DATASETS.register("mnist")
def mnist(folder: Traversable | None = None) -> DataSet:
    """MNIST (LeCun, Cortes; CC BY-SA 3.0): 50,000 train, 10,000 validation, 10,000 test, 28 x 28 x 1."""
    folder = folder or resources.files("studies") / "datasets" / "mnist"
    files = {name: read_idx(folder / name, sha256, FIX) for name, sha256 in MNIST_SHA256.items()}
    published = Split(files["train-images-idx3-ubyte.gz"][:, None], files["train-labels-idx1-ubyte.gz"].long())
    test = Split(files["t10k-images-idx3-ubyte.gz"][:, None], files["t10k-labels-idx1-ubyte.gz"].long())
    train, val = hold_out(published, 10_000)
    return DataSet("mnist", 10, train, val, test)
