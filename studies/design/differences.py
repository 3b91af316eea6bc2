"""What keeps two results from being results of one study: their arms, and what is compared, in words."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping

from studies.design.plan import Cell, Plan
from studies.trial.setup import Setup

FIXED = ("baseline", "design", "objectives", "compares", "search")
"""Of a plan, what both must have declared alike; names, questions and seeds may differ."""


def differences(a: Plan, b: Plan) -> Iterator[str]:
    """What was declared otherwise in A than in B, one a line; nothing where only names, questions and seeds differ."""
    for name in FIXED:
        if getattr(a, name) != getattr(b, name):
            yield f"{name} {getattr(a, name)} in A, {getattr(b, name)} in B"
    kinds = [plan.device.split(":")[0] for plan in (a, b)]
    if kinds[0] != kinds[1]:
        yield f"device {kinds[0]} in A, {kinds[1]} in B"
    yield from _of_arms(*({cell.name: cell for cell in plan.cells} for plan in (a, b)))


def _of_arms(a: Mapping[str, Cell], b: Mapping[str, Cell]) -> Iterator[str]:
    """Which arms only one of them has, and in which fields others differ, those that differ alike together."""
    for where, names in (("A", [n for n in a if n not in b]), ("B", [n for n in b if n not in a])):
        if names:
            yield f"arms only in {where}: {_listed(names)}"
    alike: dict[str, list[str]] = defaultdict(list)
    common = [name for name in a if name in b]
    for name in common:
        for text in _of_setups(a[name].setup, b[name].setup):
            alike[text].append(name)
    for text, names in alike.items():
        yield f"{text} ({'every arm' if len(names) == len(common) else _listed(names)})"


def _of_setups(a: Setup | None, b: Setup | None) -> list[str]:
    if a is None or b is None:
        return [] if a is b else [f"it can be trained in {'A' if a else 'B'} only"]
    if a.content_hash == b.content_hash:
        return []
    here, there = (
        {**dataclasses.asdict(one.config), **dataclasses.asdict(one.recipe), "dataset": one.dataset} for one in (a, b)
    )
    found = [f"{name} {here[name]} in A, {there[name]} in B" for name in here if here[name] != there[name]]
    return found or ["the content of data or plug-ins differs"]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
