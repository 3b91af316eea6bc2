"""CIFAR-10 from its binary version: plain bytes, no pickle."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import numpy as np
import torch

from studies.data.dataset import DATASETS, DataError, DataSet, Split, hold_out
from studies.data.fetching import Published, obtain

SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
ARCHIVE = Published(
    "cifar-10-binary.tar.gz", "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", f"sha256:{SHA256}"
)
TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST = ("test_batch.bin",)
SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE
"""Bytes of one image: its label, then the red, green and blue planes, row by row."""
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@DATASETS.register("cifar10")
def cifar10() -> DataSet:
    """CIFAR-10 (Krizhevsky, 2009): 40,000 train, 10,000 validation, 10,000 test, 32 x 32 x 3."""
    return read_archive(obtain(ARCHIVE, "cifar10"), SHA256)


def read_archive(file: Path, sha256: str) -> DataSet:
    """The data set in an archive of the official format; its members are read, and none is written anywhere.

    Raises:
        DataError: the archive is missing, damaged or not the published one.
    """
    fix = f"remove {file}, and it is fetched again"
    try:
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != sha256:
            raise DataError(f"{file}: sha256 is {found}, expected {sha256}; {fix}")
        with tarfile.open(file, "r:gz") as archive:
            published, test = (_read(archive, names) for names in (TRAIN, TEST))
    except (OSError, tarfile.TarError, EOFError, KeyError, ValueError) as error:
        raise DataError(f"{file}: no archive of CIFAR-10's binary version ({error}); {fix}") from None
    train, val = hold_out(published, len(published) // 5)
    return DataSet("cifar10", len(CLASSES), train, val, test, CLASSES)


def _read(archive: tarfile.TarFile, names: tuple[str, ...]) -> Split:
    """Several batches as one split: images ``(n, 3, 32, 32)`` uint8, labels ``(n,)``."""
    members = {Path(member.name).name: member for member in archive if member.isfile()}
    streams = [archive.extractfile(members[name]) for name in names]
    records = np.concatenate([np.frombuffer(s.read(), np.uint8).reshape(-1, RECORD) for s in streams if s])
    labels = torch.from_numpy(records[:, 0].astype(np.int64))
    if len(labels) == 0 or int(labels.max()) >= len(CLASSES):
        raise ValueError(f"labels must be 0 to {len(CLASSES) - 1}")
    return Split(torch.from_numpy(records[:, 1:].reshape(-1, 3, SIDE, SIDE).copy()), labels)
