"""Few configurations in which every two components meet: all of them together would be thousands."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from vit.config import COMPONENTS, ConfigError, ViTConfig

SMALL = {
    "image_size": (16, 12),
    "in_channels": 3,
    "num_classes": 5,
    "patch_size": 4,
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
}
FURTHER: dict[str, Sequence[Any]] = {
    "num_registers": (0, 1),
    "num_class_tokens": (1, 2),
    "qk_norm": (False, True),
    "layer_scale": (0.0, 0.1),
    "drop_path": (0.0, 0.2),
}
"""What else a component may meet, its default first."""


def combinations(**fixed: Any) -> list[ViTConfig]:
    """Small models in which every two levels of any two fields occur together where that is possible.

    Args:
        fixed: fields of ``ViTConfig`` that all of them have alike.
    """
    levels: dict[str, Sequence[Any]] = {name: list(registry) for name, registry in COMPONENTS.items()}
    free = {name: found for name, found in (levels | FURTHER).items() if name not in fixed}
    return list(dict.fromkeys(_possible(covering(free), SMALL | fixed)))


def covering(levels: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Rows in which every two levels of any two factors stand side by side at least once; greedy, without chance."""
    names = sorted(levels, key=lambda name: -len(levels[name]))
    if len(names) < 2:
        return [{name: level} for name in names for level in levels[name]]
    missing = {
        ((a, x), (b, y)): None for a, b in itertools.combinations(names, 2) for x in levels[a] for y in levels[b]
    }
    rows = []
    while missing:
        row = dict(next(iter(missing)))
        for name in names:
            if name not in row:
                row[name] = max(levels[name], key=lambda level: _gain(row, name, level, missing))
        for pair in itertools.combinations(((name, row[name]) for name in names), 2):
            missing.pop(pair, None)
        rows.append(row)
    return rows


def _gain(row: Mapping[str, Any], name: str, level: Any, missing: Mapping[Any, None]) -> int:
    """How many pairs that are missing it would bring."""
    one = (name, level)
    return sum((one, other) in missing or (other, one) in missing for other in row.items())


def _possible(rows: Sequence[Mapping[str, Any]], base: Mapping[str, Any]) -> Iterator[ViTConfig]:
    """Where a row cannot be, those with one of its fields at the default instead that can."""
    for row in rows:
        try:
            yield ViTConfig(**{**base, **row})
        except ConfigError:
            for name in row:
                with suppress(ConfigError):
                    yield ViTConfig(**{**base, **{other: level for other, level in row.items() if other != name}})
