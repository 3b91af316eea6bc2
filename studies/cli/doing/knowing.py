"""Ask the registries what can be typed."""

from __future__ import annotations

import dataclasses

import studies.catalog  # noqa: F401  registers the studies
from studies.cli.known import ComponentFacts, Known, StudyFacts
from studies.data import DATASETS
from studies.design.expand import expand
from studies.design.study import STUDIES, Study
from studies.findings.saved import TABLES
from studies.report.export import FORMATS
from studies.report.models.formats import FORMATS as MODEL_FORMATS
from studies.training.recipe import Recipe
from vit import COMPONENTS, PRESETS, ViTConfig
from vit.contract import sentence_of


def from_registries() -> Known:
    """Everything, as declared now."""
    settings = sorted({field.name for kind in (ViTConfig, Recipe) for field in dataclasses.fields(kind)})
    names = {
        "study": STUDIES,
        "setting": settings,
        "preset": PRESETS,
        "data set": DATASETS,
        "table": TABLES,
        "format": FORMATS,
        "model format": MODEL_FORMATS,
    }
    components = [
        ComponentFacts(field, name, sentence_of(component))
        for field, registry in COMPONENTS.items()
        for name, component in registry.items()
    ]
    studies = [_facts(study) for study in STUDIES.values()]
    return Known(studies, components, {kind: list(found) for kind, found in names.items()})


def _facts(study: Study) -> StudyFacts:
    plan = expand(study, "cpu")
    factors = " × ".join(f"{name} {{{', '.join(map(str, levels))}}}" for name, levels in plan.factors.items())
    return StudyFacts(study.name, factors, len(plan.cells), len(plan.trials), study.question)
