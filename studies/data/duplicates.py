"""Near-duplicates across splits: a test image that was trained on tells nothing. And one image under two labels.

A difference hash (Krawetz, hackerfactor.com, "Kind of Like That", 2013) finds the most similar training image; the
correlation of their pixels decides. Both look at brightness alone, so that another size, another compression and
another exposure are seen through; a mirrored or cropped copy is not found.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from studies.data.dataset import DataSet, Split

Hashes = npt.NDArray[np.uint64]
MOST_BITS = 8
"""Of 64, that the hashes of near-duplicates differ in."""
LEAST_CORRELATION = 0.98
AT_ONCE = 4_000_000
"""Pairs of hashes; keeps the search within some 100 MB."""


def look_alikes(data: DataSet) -> dict[str, list[tuple[int, int]]]:
    """Pairs of an index in validation and of its near-duplicate in train; of test, in train followed by validation."""
    splits = data.train, data.val, data.test
    train, val, test = (difference_hashes(split.images) for split in splits)
    return {
        "val": _pairs(splits[1], val, [splits[0]], train),
        "test": _pairs(splits[2], test, [splits[0], splits[1]], np.concatenate([train, val])),
    }


def contradictions(data: DataSet) -> list[set[int]]:
    """Of every image that occurs under several labels, in any split and equal in every value, those labels."""
    labels: dict[bytes, set[int]] = defaultdict(set)
    for split in (data.train, data.val, data.test):
        for image, label in zip(split.images.numpy(), split.labels.tolist(), strict=True):
            labels[hashlib.blake2b(image.tobytes(), digest_size=16).digest()].add(label)
    return [found for found in labels.values() if len(found) > 1]


def difference_hashes(images: Tensor) -> Hashes:
    """Images ``(n, c, h, w)`` to ``(n,)``: of 8 x 9 areas, whether each is darker than its right neighbour."""
    weights = 2 ** np.arange(64, dtype=np.uint64)
    found = []
    for some in torch.split(images, 1024):
        areas = F.adaptive_avg_pool2d(_grey(some), (8, 9))
        bits = (areas[:, :, 1:] > areas[:, :, :-1]).flatten(1).numpy()
        found.append((bits * weights).sum(axis=1, dtype=np.uint64))
    return np.concatenate(found) if found else np.zeros(0, np.uint64)


def _pairs(split: Split, own: Hashes, among: Sequence[Split], hashes: Hashes) -> list[tuple[int, int]]:
    nearest, distance = _nearest(own, hashes)
    images = [other.images for other in among]
    close = np.flatnonzero(distance <= MOST_BITS)
    pairs = []
    for i, j in zip(close.tolist(), nearest[close].tolist(), strict=True):
        if _correlation(split.images[i], _nth(images, j)) >= LEAST_CORRELATION:
            pairs.append((i, j))
    return pairs


def _nth(images: Sequence[Tensor], i: int) -> Tensor:
    """As of all of them in a row, without copying them there."""
    for some in images:
        if i < len(some):
            return some[i]
        i -= len(some)
    raise IndexError(i)


def _nearest(asked: Hashes, among: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """For each hash the index of the nearest other, and in how many bits they differ."""
    index, distance = np.zeros(len(asked), np.int64), np.full(len(asked), 64, np.uint8)
    step = max(1, AT_ONCE // max(len(among), 1))
    for start in range(0, len(asked), step):
        bits = np.bitwise_count(asked[start : start + step, None] ^ among[None])
        best = bits.argmin(axis=1)
        index[start : start + step], distance[start : start + step] = best, bits[np.arange(len(best)), best]
    return index, distance


def _correlation(a: Tensor, b: Tensor) -> float:
    """Of two images ``(c, h, w)``; images of one shade each are compared as they are."""
    x, y = (_grey(image[None]).flatten() for image in (a, b))
    x, y = x - x.mean(), y - y.mean()
    norm = float(x.norm() * y.norm())
    return float(x @ y) / norm if norm else float(torch.equal(a, b))


def _grey(images: Tensor) -> Tensor:
    return images.float().mean(dim=1)
