"""What makes a study impossible, found when it is declared: an error names the value, the choices and the fix."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from studies.design.designs import DESIGNS
from studies.design.levels import levels_of, shown
from studies.design.settings import DesignError, apply
from studies.design.space import Domain
from studies.training.recipe import Recipe, RecipeError
from vit import ConfigError, UnknownNameError, ViTConfig

if TYPE_CHECKING:
    from studies.design.study import Study

SAME = (frozenset({"patch_size", "num_strips"}),)
"""Fields that say the same of a model: of each set one may vary."""


def check(study: Study) -> None:
    """Refuse a declaration that cannot be run.

    Raises:
        DesignError: says which value, and what it may be.
    """
    if not isinstance(study.design, str) or study.design not in DESIGNS:
        raise DesignError(f"design={shown(study.design)} of {study.name!r} is unknown; choices: {', '.join(DESIGNS)}")
    check_fields(study.factors, f"a factor of {study.name!r}")
    for name, levels in levels_of(study.factors).items():
        _check_known(study, name, levels)
    check_apart(study.factors)
    check_fields(study.quick, f"quick of {study.name!r}")
    if both := [name for name in study.quick if name in study.factors]:
        raise DesignError(f"quick of {study.name!r} sets {both[0]}, which is a factor: leave it out of one")
    check_fields(study.search, f"search of {study.name!r}")
    if wrong := [name for name, domain in study.search.items() if not isinstance(domain, Domain)]:
        found = f"{wrong[0]}={shown(study.search[wrong[0]])}"
        raise DesignError(f"search of {study.name!r}: {found} is neither a Range(low, high) nor a Choice((1, 2, ...))")
    if study.objectives and not study.search:
        raise DesignError(f"search of {study.name!r} is empty: give one setting a Range or a Choice at least")
    baseline_of(study)


def check_fields(names: Mapping[str, Any], of: str) -> None:
    """Refuse what is a field of neither model nor recipe.

    Raises:
        DesignError: names the nearest and all.
    """
    fields = sorted({field.name for kind in (ViTConfig, Recipe) for field in dataclasses.fields(kind)})
    for name in names:
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DesignError(f"no setting is called {name!r} ({of}){hint}; choices: {', '.join(fields)}")


def check_apart(factors: Iterable[str]) -> None:
    """Refuse two factors that set the same thing.

    Raises:
        DesignError: names both.
    """
    for names in SAME:
        if len(both := [name for name in factors if name in names]) > 1:
            raise DesignError(f"the factors {' and '.join(both)} set the same thing: keep one of them")


def baseline_of(study: Study) -> dict[str, Any]:
    """The base's level of every factor.

    Raises:
        DesignError: it is none of the levels.
    """
    found = {name: getattr(study.base if hasattr(study.base, name) else study.recipe, name) for name in study.factors}
    declared = levels_of(study.factors)
    for name, value in found.items():
        levels = declared[name]
        if value not in levels:
            raise DesignError(
                f"{name}={shown(value)} of the baseline of {study.name!r} is none of its levels {_listed(levels)}: "
                "add it to them, or give the baseline one of them"
            )
        found[name] = levels[levels.index(value)]  # as written there: 2, where the base has 2.0
    return found


def _check_known(study: Study, name: str, levels: Iterable[Any]) -> None:
    """Refuse a component that no registry has; what is impossible at the base may be possible with other factors."""
    for level in levels:
        try:
            apply(study.base, study.recipe, {name: level})
        except (ConfigError, RecipeError) as error:
            if isinstance(error.__context__, UnknownNameError):
                raise DesignError(f"factor {name} of {study.name!r}: {error}") from None


def _listed(levels: list[Any]) -> str:
    return ", ".join(map(str, levels))
