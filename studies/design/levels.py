"""What a setting or the level of a factor may be: a plain value that can be written down and told from the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

BASELINE = "baseline"
"""The name of the arm in which no factor is changed, where arms are named by what they change."""

LARGEST = 2**63 - 1
LONGEST = 200  # letters of a word


class DesignError(ValueError):
    """A study that cannot be run as asked; the message names the value, the choices and the fix."""


def shown(value: Any, most: int = 80) -> str:
    """A value in a message, whatever it is: cut where it is long, and named by its type where it has no text."""
    try:
        return f"{value!r:.{most}}"
    except Exception:  # a number of 5,000 digits, or an object whose own repr fails
        return f"a {type(value).__name__}"


def plain(name: str, value: Any) -> Any:
    """The value, if it is plain: None, True, False, a number, a word, or a tuple of these; −0.0 becomes 0.0.

    Raises:
        DesignError: of another type, infinite, or too long to be written down.
    """
    if isinstance(value, tuple):
        return tuple(plain(name, part) for part in value)
    if isinstance(value, (bool, type(None))):
        return value
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise DesignError(f"{name} is a number of {value.bit_length()} bits: at most 63")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise DesignError(f"{name}={value} is no number to compute with: give a finite one")
        return value + 0.0  # else −0.0 would be another trial than 0.0
    if isinstance(value, str):
        if len(value) > LONGEST or not value.isprintable():
            raise DesignError(f"{name}={value[:20]!r}...: a word has at most {LONGEST} letters, all of them printable")
        return value
    raise DesignError(
        f"{name}={shown(value)} is a {type(value).__name__}: give a number, a word, True, False or a tuple"
    )


def levels_of(factors: Mapping[str, Iterable[Any]]) -> dict[str, list[Any]]:
    """The levels of every factor as a list, in order.

    Raises:
        DesignError: no levels, not plain ones, or two that Python holds for equal, such as 2 and 2.0.
    """
    found = {}
    for name, levels in factors.items():
        if isinstance(levels, str) or not isinstance(levels, Iterable):
            raise DesignError(
                f"factor {name!r} has levels {shown(levels)}: give several in a tuple, (1, 2) for example"
            )
        found[name] = [plain(name, level) for level in levels]
        if not found[name]:
            raise DesignError(f"factor {name!r} has no levels: give at least one")
        first: dict[Any, Any] = {}
        for level in found[name]:
            if level in first:
                raise DesignError(f"factor {name!r} has equal levels {first[level]!r} and {level!r}: leave one out")
            first[level] = level
    return found
