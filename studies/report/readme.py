"""The README of a results folder."""

from __future__ import annotations

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from studies.design.plan import fixed_facts
from studies.findings.columns import ARMS, CONTRASTS, EFFECTS, pick, reported
from studies.findings.components import legend
from studies.findings.findings import Findings
from studies.findings.fronts import front_columns, importance_columns
from studies.findings.tuning import arm_columns, trial_columns
from studies.findings.words import hundredths
from studies.report.markdown import code, key_values, markdown, prose
from studies.report.tracebacks import failures

DIFFERENCES = ("difference", "interval", "n", "p_holm", "verdict")
FURTHER = ("verdict_images", "detectable", "seeds_needed")


def readme_text(found: Findings, figures: list[str]) -> str:
    """Question, answer, tables and provenance as Markdown, with the names of the figures beside it."""
    plan, runs, cells = found.plan, found.runs, found.cells
    against = found.contrasts[found.contrasts["factor"] == "cell"].sort_values("difference", ascending=False)
    of_arms = [name for name in reported(cells) if name != "failed"]  # failures have a table of their own
    environment = Environment(
        loader=PackageLoader("studies.report"), undefined=StrictUndefined, trim_blocks=True, autoescape=False
    )
    environment.filters |= {"code": code, "prose": prose}
    return environment.get_template("results.md.j2").render(
        plan=plan,
        folder=found.folder,
        sentences=found.sentences,
        num_cells=len(plan.cells),
        complete=int((runs["status"] == "complete").sum()),
        failed=int((runs["status"] == "failed").sum()),
        margin=hundredths(plan.compares.margin, 1),
        alpha=hundredths(plan.compares.alpha, 0),
        looks=num_looks(found),
        details=found.details,
        warning=found.warning,
        arms=markdown(cells, pick(ARMS, *of_arms), mark_baseline=True),
        effects=markdown(found.effects, list(EFFECTS.values())) if len(found.effects) else "",
        settings=_settings(found.contrasts),
        contrasts=markdown(against, pick(CONTRASTS, "arm", *DIFFERENCES, *FURTHER)),
        tuning=markdown(found.tuning.arms, arm_columns(found.tuning.settings)) if found.tuning else "",
        tuning_trials=markdown(found.tuning.trials, trial_columns(found.tuning.settings)) if found.tuning else "",
        search=markdown(_front(found.search.trials), front_columns(found.search.settings)) if found.search else "",
        search_trials=markdown(found.search.trials, front_columns(found.search.settings)) if found.search else "",
        importance=markdown(found.search.importance, importance_columns(found.search.importance))
        if found.search and len(found.search.importance)
        else "",
        failures=_failures(runs, cells),
        fixed=key_values(fixed_facts(plan)),
        components=key_values(dict(legend(plan))),
        memory=", ".join(sorted(set(cells["gpu_memory_source"].dropna()))) or "not measured",
        provenance=key_values(found.provenance),
        figures=figures,
    )


def _front(trials: pd.DataFrame) -> pd.DataFrame:
    """The confirmed trials, the most accurate first."""
    return trials[trials["confirmed"] & trials["on_front"]].sort_values("val_accuracy", ascending=False)


def num_looks(found: Findings) -> int:
    """How often the study was looked at."""
    looks = found.contrasts["looks"].dropna()
    return int(looks.max()) if len(looks) else 1


def _settings(contrasts: pd.DataFrame) -> str:
    """Every change in every setting, factor by factor."""
    rows = contrasts[contrasts["setting"] != ""]
    return markdown(rows, pick(CONTRASTS, "factor", "a", "b", "setting", *DIFFERENCES)) if len(rows) else ""


def _failures(runs: pd.DataFrame, cells: pd.DataFrame) -> str:
    """Failed trials with their reasons, and cells that cannot be."""
    impossible = cells[cells["unsupported"].notna()]
    rows = [(one.arm, str(one.seed), one.kind, one.reason, one.file) for one in failures(runs)]
    rows += [(cell["cell"], "all", "", f"cannot be: {cell['unsupported']}", "") for _, cell in impossible.iterrows()]
    columns = ["arm", "seed", "kind", "reason", "traceback"]
    return markdown(pd.DataFrame(rows, columns=columns)) if rows else "None."
