"""What the levels of a study's factors are, in the words of the components themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from studies.design.plan import Plan
from vit import COMPONENTS
from vit.contract import sentence_of


def legend(plan: Plan) -> list[tuple[str, str]]:
    """``("positional: learned", "One learned vector per position ...")`` of every level that is a component."""
    return list(_sentences(plan))


def _sentences(plan: Plan) -> Iterator[tuple[str, str]]:
    for field, levels in plan.factors.items():
        registry: Mapping[str, type] = COMPONENTS.get(field, {})
        for level in levels:
            if level in registry:
                yield f"{field}: {level}", sentence_of(registry[level])
