"""Images as resident uint8 tensors; importing this package registers every data set."""

from studies.data import cifar10, fashion_mnist, mnist  # noqa: F401  registers them
from studies.data.dataset import DATASETS, DataError, DataSet, Split, hold_out
from studies.data.loading import load, name_of
from studies.data.own.store import identity

__all__ = ["DATASETS", "DataError", "DataSet", "Split", "hold_out", "identity", "load", "name_of"]
