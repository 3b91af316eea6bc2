"""Where short labels go, so that they lie neither on marks nor on one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom

LETTER, HEIGHT, MARK = 7.0, 11.0, 7.0  # pixels
SIDES = ((9, -8, "start"), (-9, -8, "end"), (9, 15, "start"), (-9, 15, "end"), (0, -13, "middle"), (0, 21, "middle"),
         (14, 4, "start"), (-14, 4, "end"))  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A label's words, the end of its baseline, and its anchor."""

    words: str
    x: float
    y: float
    anchor: str


def placed(labels: Mapping[str, tuple[Point, str]], marks: Sequence[Point]) -> dict[str, Place]:
    """Each label at the side of its mark where it covers least; earlier ones choose first.

    Args:
        labels: by name, the mark and the words.
        marks: all that must not be covered.
    """
    taken = [(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in marks]
    found = {}
    for name, ((x, y), words) in labels.items():
        places = [Place(words, x + dx, y + dy, anchor) for dx, dy, anchor in SIDES]
        best = min(places, key=lambda place: sum(_overlap(_box(place), other) for other in taken))
        taken.append(_box(best))
        found[name] = best
    return found


def _box(place: Place) -> Box:
    width = LETTER * len(place.words)
    left = place.x - {"start": 0.0, "middle": width / 2, "end": width}[place.anchor]
    return left, place.y - HEIGHT, left + width, place.y


def _overlap(a: Box, b: Box) -> float:
    """The area that both cover."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
