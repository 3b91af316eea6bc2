"""Can short runs be believed? Measured on arms that were run short and long, and said in sentences."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from studies.findings.published import published_folder
from studies.findings.saved import ExportError, read_table
from studies.findings.words import percent, plural
from studies.ledger.folder import ResultsFolder
from studies.statistics.fidelity import Fidelity, fidelity
from studies.statistics.question import ACCURACY, Question

BUDGETS = ("epochs", "train_images", "embed_dim")
"""Fields that make a training cheap or dear: a study that varies one of them shows what the cheap one is worth."""
QUICK = "-quick"
MOST_ARMS = 60
"""Of which all pairs are judged."""


def within(runs: pd.DataFrame, factors: Sequence[str], question: Question = ACCURACY) -> dict[str, Fidelity]:
    """Every cheaper setting of the budgets that a study varies against the dearest, by ``"epochs=1, embed_dim=16"``.

    An arm is a combination of the other factors; empty where no budget varies, or nothing else does.

    Args:
        runs: one row a trial.
        factors: of the study.
        question: its metric and terms.
    """
    budgets = [name for name in BUDGETS if name in factors and runs[name].nunique() > 1]
    others = [name for name in factors if name not in budgets]
    complete = runs[runs["status"] == "complete"]
    if not budgets or not others or not len(complete):
        return {}
    arms = complete[others].astype(str).agg("/".join, axis=1)
    if not 2 <= arms.nunique() <= MOST_ARMS:
        return {}
    tables = {
        setting: rows.assign(arm=arms[rows.index]).pivot_table(index="seed", columns="arm", values=question.metric)
        for setting, rows in complete.groupby(budgets)
    }
    dearest = max(tables, key=lambda setting: tuple(level or math.inf for level in setting))  # 0 images are all
    found = {}
    for setting, table in tables.items():
        if setting != dearest and len(set(table) & set(tables[dearest])) > 1:
            label = ", ".join(f"{name}={level}" for name, level in zip(budgets, setting, strict=True))
            found[label] = fidelity(table, tables[dearest], question)
    return found


def between(short: Path, long: Path) -> Fidelity:
    """Two results folders, arm by arm of the same name.

    Raises:
        ExportError: a folder lacks its tables, or they share fewer than two arms.
    """
    tables = [read_table(folder, "runs") for folder in (short, long)]
    values = [
        runs[runs["status"] == "complete"].pivot_table(index="seed", columns="cell", values=ACCURACY.metric)
        for runs in tables
    ]
    try:
        return fidelity(values[0], values[1], _question(long))
    except ValueError as error:
        raise ExportError(f"{short} and {long}: {error}") from None


def of_study(folder: Path) -> dict[str, Fidelity]:
    """`within` for a results folder; its factors are read from its contrasts.

    Raises:
        ExportError: the folder lacks its tables.
    """
    named = read_table(folder, "contrasts")["factor"].unique()
    return within(read_table(folder, "runs"), [str(name) for name in named if name != "cell"], _question(folder))


def full_of(quick: Path) -> Path | None:
    """The full run of a quick one: beside it, else the published one; None if there is none."""
    name = quick.name.replace(QUICK, "", 1)
    if name == quick.name:
        return None
    if ResultsFolder(quick.parent / name).holds_results:
        return quick.parent / name
    return published_folder(quick.parent, name)


def believed(quick: Path) -> str:
    """What a quick run was worth beside the full one, in a sentence; empty where there is no full one to ask."""
    full = full_of(quick)
    if full is None:
        return ""
    try:
        return f"Can --quick be believed? Measured against {full}: {said(between(quick, full))}"
    except ExportError:
        return ""


def said(found: Fidelity) -> str:
    """In sentences."""
    bounds = "" if math.isnan(found.low) else f" (95 % interval {found.low:.2f} to {found.high:.2f})"
    tau = "no rank correlation" if math.isnan(found.tau) else f"Kendall's τ {found.tau:.2f}{bounds}"
    order = (
        f"it orders {found.ordered} of the {plural(found.decided, 'pair')} that the long runs decide as they do"
        if found.decided
        else "the long runs decide no pair"
    )
    share = f" ({percent(found.ordered / found.decided, 0)})" if found.decided else ""
    if found.called:
        verdicts = (
            f"a verdict of the short runs agrees with the long ones in {found.confirmed} of "
            f"{plural(found.called, 'pair')} and contradicts them in {found.contradicted}"
        )
    else:
        verdicts = "the short runs decide no pair themselves"
    return f"{plural(found.arms, 'arm')}, {tau}; {order}{share}; {verdicts}."


def sentence(found: dict[str, Fidelity]) -> str:
    """Of all cheaper settings of a study."""
    return " ".join(f"`{label}`: {said(one)}" for label, one in found.items())


def _question(folder: Path) -> Question:
    """The terms on which a folder was judged."""
    contrasts = read_table(folder, "contrasts")
    if not len(contrasts):
        return ACCURACY
    margin, alpha = float(contrasts["margin"].iloc[0]), float(contrasts["alpha"].iloc[0])
    return dataclasses.replace(ACCURACY, margin=margin, alpha=alpha)
