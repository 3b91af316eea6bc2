"""A study whose truth is known, from accuracies by arm and seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from studies.design.expand import expand
from studies.design.plan import Plan
from studies.design.study import Study
from studies.findings.answer import answer
from studies.findings.costs import rounds_frame, speed_contrasts, speed_front
from studies.findings.details import details
from studies.findings.effects import contrasts_frame, effects_frame
from studies.findings.tables import LEAD, MEASURED, METRICS, cells_frame
from studies.findings.variance import interacting_factors, variance_table
from studies.training.recipe import Recipe
from vit import PRESETS

ALTERNATING = np.array([1, -1, 1, -1, 1, -1, 1, -1.0])
BASE = 0.97 + 0.001 * np.arange(8)


def study_of(factors: dict[str, Any]) -> Plan:
    study = Study(name="s", question="?", base=PRESETS["tiny"], recipe=Recipe(), factors=factors)
    return expand(study, "cpu")


def runs_of(plan: Plan, arms: dict[str, Any], correct: dict[str, Any] | None = None) -> pd.DataFrame:
    """NaN is a failed trial."""
    levels = {cell.name: cell.levels for cell in plan.cells}
    rows = [
        {"cell": name, **levels[name], "seed": seed, "status": "failed" if np.isnan(value) else "complete"}
        | {"test_accuracy": value, "val_accuracy": value, "test_correct": correct[name][seed] if correct else None}
        for name, values in arms.items()
        for seed, value in enumerate(values)
    ]
    kept = [*LEAD, *plan.factors, *METRICS, *MEASURED, "num_tokens", "params", "flops", "test_correct"]
    return pd.DataFrame(rows).reindex(columns=list(dict.fromkeys(kept)))


class Told:
    """The answer and the details by topic."""

    def __init__(
        self,
        arms: dict[str, Any],
        factors: dict[str, Any] | None = None,
        speeds: dict[str, Any] | None = None,
        correct: dict[str, Any] | None = None,
        validation: dict[str, Any] | None = None,
    ) -> None:
        self.plan = plan = study_of(factors or {"pooling": tuple(arms)})
        runs = runs_of(plan, arms, correct)
        for arm, values in (validation or {}).items():
            runs.loc[runs["cell"] == arm, "val_accuracy"] = values
        measured = {c.content_hash: {"train_rounds": speeds[c.name]} for c in plan.cells} if speeds else {}
        rounds = rounds_frame(plan, measured)
        variance = variance_table(plan, runs)
        self.cells, self.contrasts = cells_frame(plan, runs), contrasts_frame(plan, runs)
        self.effects = effects_frame(plan, self.contrasts, interacting_factors(variance))
        found = answer(plan, self.cells, self.contrasts, self.effects, speed_contrasts(plan, rounds))
        more = details(plan, runs, self.cells, self.contrasts, variance, speed_front(plan, runs, rounds))
        self.answer, self.details = ({one.topic: one.text for one in part} for part in (found, more))
        for text in (*self.answer.values(), *self.details.values()):
            assert text.endswith("."), text
            assert text[0].isupper() or text[0] == "`" or text[0].isdecimal(), text
            assert "nan" not in text, text
        assert len(self.answer) <= 5

    @property
    def said(self) -> str:
        """All of the answer."""
        return " ".join(self.answer.values())
