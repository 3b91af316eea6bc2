"""One torch thread, one hypothesis profile, and the small data set that trains in milliseconds."""

import pytest
import torch
from hypothesis import settings

from studies.data import DataSet, Split, load

settings.register_profile("suite", deadline=None, max_examples=60, derandomize=True, database=None)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small_mnist() -> DataSet:
    """The first 512 / 200 / 200 images of MNIST's splits."""

    def head(split: Split, size: int) -> Split:
        return Split(split.images[:size], split.labels[:size])

    full = load("mnist")
    return DataSet("small-mnist", 10, head(full.train, 512), head(full.val, 200), head(full.test, 200))
