"""What a source of images holds before anything is decoded: items, each with its label and, maybe, its split."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

SPLITS = ("train", "val", "test")
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Item:
    """One image to decode.

    Args:
        name: for people: its path below the folder, or its number in an array.
        source: its file, or its pixels ``(h, w)`` or ``(h, w, c)``.
        label: the name of its class.
        split: one of ``SPLITS``; None where that is still to be decided.
    """

    name: str
    source: Path | Pixels
    label: str
    split: str | None = None


@dataclass(frozen=True)
class Skipped:
    """An image that is left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """All of a source: its items in a fixed order, and what had the looks of an image but is none."""

    title: str
    items: list[Item]
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def class_names(self) -> list[str]:
        """Sorted; by value where all are whole numbers."""
        names = {item.label for item in self.items}
        numeric = all(name.removeprefix("-").isdecimal() for name in names)
        return sorted(names, key=lambda name: (int(name), name) if numeric else (0, name))

    def count(self, split: str | None) -> Counter[str]:
        """Items by class in a split."""
        return Counter(item.label for item in self.items if item.split == split)


def printable(text: str) -> str:
    """A file name as every screen and file takes it: composed, with bytes that are no UTF-8 written out.

    So are new lines, a terminal's escapes, and marks that turn the direction of what follows; no other letter.
    """
    told = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    plain = "".join(ascii(letter)[1:-1] if _moves(letter) else letter for letter in told)
    return unicodedata.normalize("NFC", plain)


def _moves(letter: str) -> bool:
    turns = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp") or unicodedata.bidirectional(letter) in turns


def listed(names: Iterable[str], most: int = 5) -> str:
    """``a, b, c and 7 more``."""
    names = [repr(name) for name in names]
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
