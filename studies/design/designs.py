"""Which combinations of levels a study runs: all, one factor at a time, or a fraction of stated resolution."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from studies.design.fractions import Fraction, fraction, is_prime
from studies.design.settings import DesignError

FULL, ONE_AT_A_TIME = "full", "one-at-a-time"
RESOLUTIONS = {"resolution-3": 3, "resolution-4": 4, "resolution-5": 5}
DESIGNS = (FULL, ONE_AT_A_TIME, *RESOLUTIONS)
ROMAN = {2: "II", 3: "III", 4: "IV", 5: "V", 6: "VI", 7: "VII", 8: "VIII"}
MOST_CELLS = 10_000

Factors = Mapping[str, Sequence[Any]]


def combinations(design: str, factors: Factors, baseline: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Levels of every cell, the baseline among them, in the order of the full factorial.

    Raises:
        DesignError: more cells than ``MOST_CELLS``.
    """
    places = {name: list(levels).index(baseline[name]) for name, levels in factors.items()}
    if design == FULL:
        _check_number(math.prod(len(levels) for levels in factors.values()))
        chosen: Iterator[tuple[int, ...]] = itertools.product(*(range(len(levels)) for levels in factors.values()))
    elif design == ONE_AT_A_TIME:
        chosen = _one_at_a_time(factors, places)
    else:
        chosen = _fractional(factors, places, RESOLUTIONS[design])
    return [
        {name: levels[i] for (name, levels), i in zip(factors.items(), indices, strict=True)}
        for indices in sorted(chosen)
    ]


def described(design: str, factors: Factors) -> list[str]:
    """Lines for people: what the design is, its resolution, and effects that it cannot tell apart."""
    full = math.prod(len(levels) for levels in factors.values())
    if design == FULL:
        return [f"design: full factorial, all {full:,} combinations"]
    if design == ONE_AT_A_TIME:
        count = 1 + sum(len(levels) - 1 for levels in factors.values())
        return [f"design: one factor at a time, {count:,} of {full:,} combinations; interactions cannot be seen"]
    parts = list(_fractions(factors, RESOLUTIONS[design]).values())
    count = math.prod(part.size ** len(next(iter(part.columns.values()))) for part in parts) * math.prod(
        len(factors[name]) for name in _kept_whole(factors)
    )
    found = [part.resolution for part in parts]
    resolutions = [number for number in found if number is not None]
    if not resolutions:
        return [f"design: full factorial, all {full:,} combinations: no smaller fraction has {design}"]
    lines = [
        f"design: fraction of resolution {ROMAN[min(resolutions)]}, {count:,} of {full:,} combinations; a factor's "
        "effect is the difference of its levels' means"
    ]
    groups = [labels for part in parts for labels in part.aliases()]
    lines += [f"cannot be told apart: {', '.join(labels)}" for labels in groups]
    whole = _kept_whole(factors)
    if whole:
        lines.append(f"crossed with all levels of {', '.join(whole)}: numbers of levels that are no primes")
    return lines


def _one_at_a_time(factors: Factors, places: Mapping[str, int]) -> Iterator[tuple[int, ...]]:
    base = tuple(places.values())
    yield base
    for i, levels in enumerate(factors.values()):
        yield from ((*base[:i], other, *base[i + 1 :]) for other in range(len(levels)) if other != base[i])


def _fractional(factors: Factors, places: Mapping[str, int], resolution: int) -> Iterator[tuple[int, ...]]:
    """The product of one fraction for every prime number of levels and of all levels of the other factors."""
    parts: list[list[dict[str, int]]] = [list(part.runs) for part in _fractions(factors, resolution).values()]
    parts += [[{name: i} for i in range(len(factors[name]))] for name in _kept_whole(factors)]
    _check_number(math.prod(map(len, parts)))
    for runs in itertools.product(*parts):
        away = {name: steps for run in runs for name, steps in run.items()}  # 0 is the baseline
        yield tuple((places[name] + away[name]) % len(levels) for name, levels in factors.items())


def _fractions(factors: Factors, resolution: int) -> dict[int, Fraction]:
    """By number of levels."""
    alike: dict[int, list[str]] = defaultdict(list)
    for name, levels in factors.items():
        if is_prime(len(levels)):
            alike[len(levels)].append(name)
    return {size: fraction(names, size, resolution) for size, names in alike.items()}


def _kept_whole(factors: Factors) -> list[str]:
    return [name for name, levels in factors.items() if not is_prime(len(levels))]


def _check_number(cells: int) -> None:
    if cells > MOST_CELLS:
        raise DesignError(
            f"the study crosses to {cells:,} arms: at most {MOST_CELLS:,}; leave levels out, or take another design "
            f"of {', '.join(DESIGNS)}"
        )
