"""One file is one image of one class in one split, however often and by whatever names a source lists it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

from studies.data.dataset import DataError
from studies.data.own.items import Item, Listing, Skipped


def without_repeats(listing: Listing, source: Path) -> Listing:
    """Every file once, where it stands first; the others are skipped and counted.

    Raises:
        DataError: a file has two labels, or is in two splits; names the first of them, and how many there are.
    """
    firsts: dict[Hashable, Item] = {}
    again = [(first, item) for item in listing.items if (first := firsts.setdefault(_file(item), item)) is not item]
    _check(source, [(one, two, one.label, two.label) for one, two in again], "as", "an image has one label")
    _check(source, [(one, two, one.split, two.split) for one, two in again], "in", "an image is in one split")
    repeated = [Skipped(two.name, f"the same file as {one.name}, counted once") for one, two in again]
    return replace(listing, items=list(firsts.values()), skipped=[*listing.skipped, *repeated])


def _check(source: Path, pairs: list[tuple[Item, Item, str | None, str | None]], word: str, rule: str) -> None:
    differing = [pair for pair in pairs if pair[2] != pair[3]]
    if differing:
        one, two, here, there = differing[0]
        name = one.name if one.name == two.name else f"{one.name}, which is {two.name},"
        more = f" (and {len(differing) - 1:,} more)" if differing[1:] else ""
        raise DataError(f"{source}: {name} is listed {word} {here!r} and {word} {there!r}{more}; {rule}: keep one")


def _file(item: Item) -> Hashable:
    """What tells files apart, links followed; pixels in memory, and what cannot be found, are like nothing else."""
    if not isinstance(item.source, Path):
        return id(item)
    try:
        stat = item.source.stat()
    except (OSError, ValueError):  # a table may name what can be no path
        return item.name
    return stat.st_dev, stat.st_ino
