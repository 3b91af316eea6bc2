"""The IDX format of MNIST and its kin."""

from __future__ import annotations

import hashlib
import zlib
from importlib.resources.abc import Traversable

import numpy as np
import torch
from torch import Tensor

from studies.data.dataset import DataError


def read_idx(file: Traversable, sha256: str, fix: str) -> Tensor:
    """A gzipped IDX file of bytes as a uint8 tensor, its decompressed digest checked.

    Raises:
        DataError: missing, truncated or altered; names the file, both digests and the ``fix``.
    """
    try:
        content = zlib.decompressobj(wbits=31).decompress(file.read_bytes())
    except (OSError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read ({error}); expected sha256 {sha256}; {fix}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"{file}: wrong or truncated: sha256 is {found}, expected {sha256}; {fix}")
    dims = np.frombuffer(content, ">i4", count=content[3], offset=4)
    pixels = np.frombuffer(content, np.uint8, offset=4 + 4 * len(dims))
    return torch.from_numpy(pixels.reshape(dims).copy())
