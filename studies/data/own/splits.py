"""Test and validation images held out where a source has none: by class, the same ones every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from studies.data.dataset import DataError
from studies.data.own.items import Item, Listing, listed

TEST_SHARE, VAL_SHARE = 0.2, 0.1
"""Of all images, where nothing is given: a test set large enough to tell arms apart, a validation set to choose by."""
MOST_HELD_OUT = 10_000
"""As many as MNIST's: standard errors of half a point at most, and the rest trains."""


def assign_splits(listing: Listing) -> Listing:
    """Give every item its split; what the source says stands, and what it lacks is held out of train.

    Raises:
        DataError: one class, a class too small to be in all splits, or a label that train does not have.
    """
    given = {item.split or "train" for item in listing.items}
    items = [replace(item, split=item.split or "train") for item in listing.items]
    missing = [split for split in ("test", "val") if split not in given]
    check_classes(items, len(missing) + 1)
    for split, share in (("test", TEST_SHARE), ("val", VAL_SHARE)):
        if split in missing:
            items = _hold_out(items, split, share)
    return replace(listing, items=items)


def check_classes(items: Sequence[Item], least: int) -> None:
    """Refuse what cannot be learned or scored; ``least`` images of a class must be for training and holding out.

    Raises:
        DataError: names the classes and the fix.
    """
    counts = Counter(item.label for item in items if item.split == "train")
    strangers = sorted({item.label for item in items} - set(counts))
    if strangers:
        raise DataError(
            f"{listed(strangers)} occur in validation or test images but in no training image: add some, or remove them"
        )
    if len(counts) < 2:
        raise DataError(f"only one class, {listed(counts)}: there is nothing to tell apart; give at least two")
    small = sorted(label for label, count in counts.items() if count < least)
    if small:
        raise DataError(
            f"too few images of {listed(small)}: a class needs at least {least}, one in each split that is made from "
            f"them; add images or remove the class"
        )


def stratified(labels: Sequence[str], share: float, most: int) -> list[int]:
    """Indices of about this share of each class, at least one of each and not all, drawn from a fixed seed."""
    share = min(share, most / max(len(labels), 1))
    random, held = np.random.default_rng(0), []
    values = np.asarray(labels)
    for label in sorted(set(labels)):
        (where,) = np.nonzero(values == label)
        size = min(max(1, round(share * len(where))), len(where) - 1)
        held += random.permutation(where)[:size].tolist()
    return sorted(held)


def _hold_out(items: list[Item], split: str, share: float) -> list[Item]:
    candidates = [i for i, item in enumerate(items) if item.split == "train"]
    # a share of all images: what the test set took is no longer among the candidates
    share = share * len(items) / len(candidates)
    held = stratified([items[i].label for i in candidates], share, MOST_HELD_OUT)
    chosen = {candidates[i] for i in held}
    return [replace(item, split=split) if i in chosen else item for i, item in enumerate(items)]
