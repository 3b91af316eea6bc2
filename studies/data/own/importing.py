"""From a person's path to a data set in the cache."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from studies.data.dataset import DataError
from studies.data.duplicates import look_alikes
from studies.data.own.decode import RESIZES, Decoded, Policy, open_image
from studies.data.own.decoding import Progress, arrange, decode_all
from studies.data.own.folder import list_folder
from studies.data.own.items import SPLITS, Item, Listing, Skipped, listed
from studies.data.own.repeats import without_repeats
from studies.data.own.splits import assign_splits
from studies.data.own.store import About, about, keep, making, mapped, remember, remembered

VERSION = 1
"""Of everything that decides how a source becomes a data set; raise it and sources are decoded again."""
SIZES_LOOKED_AT = 500
SMALL, LARGE = 32, 64
"""Sides in pixels; ``default_size`` says for which images."""
LIMITS = 8, 1024


def import_images(
    source: Path, image_size: int | None, resize: str, refuse_broken: bool, progress: Progress = lambda done, of: None
) -> str:
    """Decode a folder, a table or arrays, if that was not done before; the name of the data set.

    A source is known again by names, sizes and times of its files, which takes a second where reading all of them
    takes minutes; the data set is named by its content (``studies/data/own/store.py``), so that a touched file costs
    a decoding but no trial.

    Raises:
        DataError: no usable images; or, with ``refuse_broken``, one that is broken.
    """
    if resize not in RESIZES:
        raise DataError(f"--resize {resize}: choices: {', '.join(RESIZES)}")
    listing = without_repeats(list_source(source), source)
    policy = Policy(image_size or default_size(listing), resize)
    if not LIMITS[0] <= policy.image_size <= LIMITS[1]:
        raise DataError(f"--image-size {policy.image_size}: must be {LIMITS[0]} to {LIMITS[1]} pixels")
    fingerprint = fingerprint_of(source, listing, policy)
    name = remembered(fingerprint)
    if name is None:
        name = _import(listing, policy, progress)
        remember(fingerprint, name)
    if refuse_broken and (skipped := about(name).skipped):
        raise DataError(f"{len(skipped):,} broken: {listed(f'{path}: {reason}' for path, reason in skipped)}")
    return name


def list_source(source: Path) -> Listing:
    """What a folder, a ``.csv`` or ``.parquet`` table, or an ``.npz`` archive holds.

    Raises:
        DataError: it is none of them, or holds no images.
    """
    if source.is_dir():
        return list_folder(source)
    if source.suffix in (".csv", ".parquet"):
        from studies.data.own.table import list_table

        return list_table(source)
    if source.suffix == ".npz":
        from studies.data.own.arrays import list_arrays

        return list_arrays(source)
    what = "is none of these" if source.exists() else "does not exist"
    raise DataError(f"{source} {what}: give a folder of images, a .csv or .parquet with path and label, or an .npz")


def default_size(listing: Listing) -> int:
    """The images' own side where all are small squares of one size that four cuts divide; else 32 or 64 pixels.

    64 where the shorter side of half of them has as many.
    """
    step = max(1, len(listing.items) // SIZES_LOOKED_AT)
    sizes = [size for item in listing.items[::step] if (size := _size(item))]
    if not sizes:
        return SMALL
    sides = {side for size in sizes for side in size}
    if len(sides) == 1 and LIMITS[0] <= max(sides) <= LARGE and max(sides) % 4 == 0:
        return max(sides)
    return LARGE if float(np.median([min(size) for size in sizes])) >= LARGE else SMALL


def fingerprint_of(source: Path, listing: Listing, policy: Policy) -> str:
    """By which a source is known again: names, labels, splits, sizes and times of its files, and the policy."""
    digest = hashlib.sha256(json.dumps([VERSION, asdict(policy), listing.title, _stat(source)]).encode())
    for item in listing.items:
        stat = _stat(item.source) if isinstance(item.source, Path) else ()
        digest.update(json.dumps([item.name, item.label, item.split, stat]).encode())
    return digest.hexdigest()


def _import(listing: Listing, policy: Policy, progress: Progress) -> str:
    assign_splits(listing)  # what cannot be is refused before anything is decoded
    with making() as folder:
        ends, channels = decode_all(listing.items, policy, folder / "decoded.bin", progress)
        skipped = [*listing.skipped, *(end for _, end in ends if isinstance(end, Skipped))]
        # a broken image has no part in the splits: they do not change when it is removed
        usable = replace(listing, items=[item for item, end in ends if isinstance(end, Decoded)])
        items = _splits_of_usable(usable, skipped, _lost(listing, usable))
        order = sorted(range(len(items)), key=lambda i: SPLITS.index(items[i].split or "train"))
        arrange(folder / "decoded.bin", order, policy.image_size, channels, folder / "images.bin")
        (folder / "decoded.bin").unlink()
        known = _about(listing, policy, channels, items, [end for _, end in ends if isinstance(end, Decoded)], skipped)
        labels = np.array([known.class_names.index(items[i].label) for i in order], np.int64)
        found = look_alikes(mapped(folder, labels, known, listing.title))
        known = replace(known, look_alikes={split: len(pairs) for split, pairs in found.items()})
        return keep(folder, labels, known)


def _splits_of_usable(usable: Listing, skipped: Sequence[Skipped], lost: Sequence[str]) -> list[Item]:
    """The images that could be read, with their splits.

    Raises:
        DataError: what is left of a class or a split is not enough; says what was skipped.
    """
    try:
        if lost:
            raise DataError(f"no image is left of {listed(lost)}")
        return assign_splits(usable).items
    except DataError as error:
        if not skipped:
            raise
        names = listed(f"{s.name}: {s.reason}" for s in skipped)
        raise DataError(f"{error}; {len(skipped):,} images were skipped, {names}") from None


def _lost(listing: Listing, usable: Listing) -> list[str]:
    """Classes and given splits of which no image could be read."""
    splits = {item.split for item in listing.items} - {item.split for item in usable.items}
    return [name for name in listing.class_names if name not in usable.class_names] + [str(s) for s in splits]


def _about(
    listing: Listing,
    policy: Policy,
    channels: int,
    items: Sequence[Item],
    ends: Sequence[Decoded],
    skipped: Sequence[Skipped],
) -> About:
    return About(
        listing.title,
        listing.class_names,
        {split: sum(item.split == split for item in items) for split in SPLITS},
        (channels, policy.image_size, policy.image_size),
        policy.resize,
        _originals([end.size for end in ends]),
        dict(Counter(end.mode for end in ends)),
        [(s.name, s.reason) for s in skipped],
        {},
    )


def _originals(sizes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    ordered = sorted(sizes, key=lambda size: size[0] * size[1])
    return [ordered[0], ordered[len(ordered) // 2], ordered[-1]]


def _size(item: Item) -> tuple[int, int] | None:
    try:
        with open_image(item.source) as image:
            return image.size
    except Exception:  # its turn comes when it is decoded
        return None


def _stat(path: Path) -> tuple[int, ...]:
    """Size and times; the second is no program's to set, so that it tells a changed file of an old date."""
    try:
        stat = path.stat()
    except (OSError, ValueError):  # a table may name what can be no path
        return ()
    return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) if path.is_file() else ()
