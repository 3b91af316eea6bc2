"""A study declared on the command line: factors and a baseline around the model and recipe of a declared one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from studies.design.checking import SAME, check_apart
from studies.design.settings import DesignError, literal
from studies.design.study import Study, named_by_content

TEMPLATE = "ablations"
"""The study whose model and recipe are taken where none is named."""


def study_of_flags(template: Study, factors: Sequence[str], baseline: str | None, design: str | None) -> Study:
    """A study whose model and recipe are the template's and whose factors were typed.

    Args:
        template: a declared study.
        factors: ``["chunking=tiles,horizontal", "patch_size=4,7,14"]``; none leaves those of the template.
        baseline: ``"chunking=tiles,patch_size=7"``; what it does not name is as in the template, or at the first
            level if the template's value is none of the levels.
        design: an entry of ``designs.DESIGNS``; None leaves the template's.

    Raises:
        DesignError: not so written, or a study that cannot be run.
        ConfigError, RecipeError: a baseline that cannot be built.
    """
    levels: dict[str, Any] = {}
    for text in factors:
        name, written = _parted("--factor", text, "patch_size=4,7,14")
        if name in levels:
            raise DesignError(f"--factor {name} stands twice: give all its levels at once, --factor {name}=...")
        levels[name] = [literal(part) for part in split_levels(written)]
    changes = baseline_settings(baseline) if baseline else {}
    varied = levels or dict(template.factors)
    if astray := [name for name in changes if name not in varied]:
        raise DesignError(f"--baseline {astray[0]}=... is no factor; factors: {', '.join(varied)}; --set fixes others")
    check_apart(varied)
    for name, typed in levels.items():
        if name not in changes and typed and _value(template, name) not in typed:
            changes[name] = typed[0]
    changes |= {other: None for same in SAME for other in same - {*varied} if same & {*varied}}
    made = dataclasses.replace(
        template,
        name="-".join(levels)[:60] if levels else template.name.partition("~")[0],
        question=f"What changes with {' and '.join(varied)}?",
        factors={},
        quick={name: value for name, value in template.quick.items() if name not in varied},
    )
    based = made.with_settings(changes)
    return named_by_content(
        dataclasses.replace(based, name=made.name, factors=varied, design=design or template.design)
    )


def _value(study: Study, name: str) -> Any:
    return getattr(study.base if hasattr(study.base, name) else study.recipe, name, None)


def baseline_settings(text: str) -> dict[str, Any]:
    """``"chunking=tiles,patch_size=(7, 14)"`` to a dictionary.

    Raises:
        DesignError: not so written, or a name twice.
    """
    found: dict[str, Any] = {}
    for part in split_levels(text):
        name, written = _parted("--baseline", part, "chunking=tiles,patch_size=7")
        if name in found:
            raise DesignError(f"--baseline {name} stands twice: give it one level")
        found[name] = literal(written)
    return found


def split_levels(text: str) -> list[str]:
    """At commas that are in no bracket: ``"7,(7, 14)" -> ["7", "(7, 14)"]``; nothing is no level."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _parted(option: str, text: str, example: str) -> tuple[str, str]:
    name, equals, written = text.partition("=")
    if not equals or not name.strip():
        raise DesignError(f"{option} {text!r}: write NAME=LEVEL, for example {option} {example}")
    return name.strip(), written
