"""Fractions of a full factorial in which no main effect hides behind another: regular designs over prime fields.

Runs are the vectors of GF(s)^m and every factor of s levels is a linear form on them, its column: a factor's level
in a run is their product modulo s. If any R - 1 columns are independent, the fraction has resolution R: effects of
i factors are mixed up only with effects of at least R - i (Box and Hunter 1961; Bose 1947 for s > 2). Columns are
found greedily in order, the unit vectors first. That is minimal for two levels and resolution III and IV; beyond, a
smaller fraction may exist in tables.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Vector = tuple[int, ...]

HIGHEST = 8
"""Of the resolutions that are looked for; nothing beyond V changes what can be told of pairs of factors."""


@dataclass(frozen=True)
class Fraction:
    """Factors of one prime number of levels, and the column of each in GF(s)^m.

    Args:
        size: s, the number of levels of every factor.
        columns: factor -> its column.
    """

    size: int
    columns: Mapping[str, Vector]

    @property
    def runs(self) -> Iterator[dict[str, int]]:
        """``size ** m`` runs: how far every factor's level lies from its first one, modulo s; the first is all 0."""
        for run in itertools.product(range(self.size), repeat=len(next(iter(self.columns.values())))):
            yield {
                name: sum(x * c for x, c in zip(run, column, strict=True)) % self.size
                for name, column in self.columns.items()
            }

    @property
    def resolution(self) -> int | None:
        """The fewest columns that depend on each other; None where all are independent: a full factorial."""
        columns = list(self.columns.values())
        for weight in range(2, len(columns) + 1):
            for chosen in itertools.combinations(columns, weight):
                if any(not any(image) for image in _images(chosen, self.size)):
                    return weight
        return None

    def aliases(self) -> list[list[str]]:
        """Main effects and interactions of two that cannot be told apart, each group as ``["a", "b × c"]``."""
        groups: dict[Vector, list[str]] = defaultdict(list)
        for order in (1, 2):
            for names in itertools.combinations(self.columns, order):
                label = " × ".join(names)
                for image in _images([self.columns[name] for name in names], self.size):
                    if label not in groups[normal := _normal(image, self.size)]:
                        groups[normal].append(label)
        return [labels for labels in groups.values() if len(labels) > 1]


def fraction(factors: Sequence[str], size: int, resolution: int) -> Fraction:
    """The smallest that the greedy construction finds with at least this resolution; full if there is no smaller one.

    Args:
        factors: names.
        size: their number of levels, a prime.
        resolution: 3 or more.
    """
    for dimension in range(1, len(factors) + 1):
        columns = _columns(len(factors), size, dimension, resolution - 1)
        if columns is not None:
            break
    assert columns is not None, "as many dimensions as factors always do"
    for strength in range(resolution, HIGHEST):  # as many runs, and more to be told from them
        columns = _columns(len(factors), size, dimension, strength) or columns
    return Fraction(size, dict(zip(factors, columns, strict=True)))


def is_prime(number: int) -> bool:
    """For numbers of levels."""
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def _columns(count: int, size: int, dimension: int, strength: int) -> list[Vector] | None:
    """So many vectors, any ``strength`` of which are independent; None where the greedy search has too few."""
    chosen: list[Vector] = []
    spans: list[set[Vector]] = [{(0,) * dimension}, *(set() for _ in range(strength - 1))]
    units = [tuple(int(i == j) for j in range(dimension)) for i in range(dimension)]
    for vector in itertools.chain(units, itertools.product(range(size), repeat=dimension)):
        if len(chosen) == count:
            break
        if any(vector in span for span in spans) or vector != _normal(vector, size):
            continue
        chosen.append(vector)
        for order in range(len(spans) - 1, 0, -1):  # combinations of `order` columns, this one among them
            spans[order] |= {_sum(one, vector, times, size) for one in spans[order - 1] for times in range(1, size)}
    return chosen if len(chosen) == count else None


def _images(columns: Sequence[Vector], size: int) -> Iterator[Vector]:
    """Every combination of all these columns, the first taken once."""
    for times in itertools.product(range(1, size), repeat=len(columns) - 1):
        image = columns[0]
        for column, factor in zip(columns[1:], times, strict=True):
            image = _sum(image, column, factor, size)
        yield image


def _sum(a: Vector, b: Vector, times: int, size: int) -> Vector:
    return tuple((x + times * y) % size for x, y in zip(a, b, strict=True))


def _normal(vector: Vector, size: int) -> Vector:
    """The multiple whose first entry that is not 0 is 1: multiples are the same effect."""
    first = next((x for x in vector if x), 1)
    inverse = pow(first, -1, size)
    return tuple(inverse * x % size for x in vector)
