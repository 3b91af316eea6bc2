"""What a search for trade-offs found: its trials, the front, how it grew, and what moved each objective."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from studies.design.front import OBJECTIVES, arm_of
from studies.design.levels import BASELINE
from studies.design.plan import Plan
from studies.findings.answer import Sentence
from studies.findings.columns import Column, Row
from studies.findings.tables import searched_traceback
from studies.findings.words import hundredths, missing, number, plural, span
from studies.ledger.found import Found, importances, searches
from studies.ledger.ledger import Ledger
from studies.statistics.fronts import hypervolume_history, most_covering, non_dominated, scaled

SEARCHED = "search_table"
"""The note of a ledger made from tables that has the trials of the search."""
NEEDED = ("number", "state", "configuration", *OBJECTIVES, "params", "confirmed", "on_front", "hypervolume")
"""Columns that it must have."""
MOST_CONFIRMED = 8
REFERENCE = np.full(len(OBJECTIVES), 1.0 + 1e-9)
"""The worst seen of every objective; a hair more, so that being second worst counts."""
LOGARITHMIC = [name != "val_accuracy" for name in OBJECTIVES]


@dataclass(frozen=True)
class Front:
    """Tables of a search.

    Args:
        trials: one row a trial: its settings, its objectives, whether it is on the front, the hypervolume so far.
        settings: names of what was varied.
        importance: one row a setting, one column an objective.
        sentences: what follows.
    """

    trials: pd.DataFrame
    settings: list[str]
    importance: pd.DataFrame
    sentences: Sequence[Sentence]


def to_confirm(found: Sequence[Found]) -> dict[str, dict[str, object]]:
    """Settings of at most ``MOST_CONFIRMED`` trials of the front by arm, those that together dominate most first."""
    if not found:
        return {}
    losses = losses_of(np.array([one.values for one in found]))
    chosen = [found[place] for place in most_covering(losses, REFERENCE, MOST_CONFIRMED)]
    return {arm_of(one.number): one.settings for one in chosen}


def losses_of(values: np.ndarray) -> np.ndarray:
    """Objectives from 0 (best seen) to 1 (worst seen), ``(n, objectives)``; costs by their logarithm."""
    return scaled(values, list(OBJECTIVES.values()), LOGARITHMIC)


def find_front(ledger: Ledger, plan: Plan, cells: pd.DataFrame) -> Front | None:
    """What a ledger knows of the search that its plan confirms; None for other studies."""
    if not plan.objectives:
        return None
    trials = trials_frame(ledger, plan)
    settings = list(plan.search)
    importance = pd.DataFrame(importances(ledger)).rename_axis("setting").reset_index()
    return Front(trials, settings, importance, list(sentences(trials, cells, importance)))


def trials_frame(ledger: Ledger, plan: Plan) -> pd.DataFrame:
    """One row per trial of the search, those that exceed a limit included; as a table tells, where there is no more."""
    if (told := ledger.notes(SEARCHED)) is not None:
        return pd.DataFrame(**told)
    rows = []
    confirmed = {cell.name for cell in plan.runnable}
    for about, found in searches(ledger):
        if about.get("arm") != "front":
            continue
        for one in found:
            values = one.values if one.state == "complete" else [one.record.get(name) for name in OBJECTIVES]
            row = {"number": one.number, "state": one.state, "reason": one.reason, "configuration": arm_of(one.number)}
            row |= {**one.settings, **dict(zip(OBJECTIVES, values, strict=True)), "params": one.record.get("params")}
            row["traceback"] = searched_traceback("front", one)
            rows.append(row | {"confirmed": arm_of(one.number) in confirmed})
    columns = [
        "number",
        "state",
        "reason",
        "configuration",
        *plan.search,
        *OBJECTIVES,
        "params",
        "confirmed",
        "traceback",
    ]
    frame = pd.DataFrame(rows, columns=columns)
    frame["on_front"], frame["hypervolume"] = False, np.nan
    frame["confirmed"] = frame["confirmed"].astype(bool)
    done = frame["state"] == "complete"
    if done.any():
        losses = losses_of(frame.loc[done, list(OBJECTIVES)].to_numpy(dtype=float))
        frame.loc[done, "on_front"] = non_dominated(losses)
        frame.loc[done, "hypervolume"] = hypervolume_history(losses, REFERENCE)
    return frame


def sentences(trials: pd.DataFrame, cells: pd.DataFrame, importance: pd.DataFrame) -> list[Sentence]:
    """How large the front is, how it grew, what was confirmed, and what importance does not say."""
    done = trials[trials["state"] == "complete"]
    if not len(done):
        return [Sentence("Search", "Not one configuration was trained.")]
    left_out = int((trials["state"] == "pruned").sum())
    without = f", {plural(left_out, 'draw')} left out by a limit" if left_out else ""
    half = done["hypervolume"].iloc[(len(done) - 1) // 2] / done["hypervolume"].iloc[-1]
    out = [
        Sentence(
            "Search",
            f"{plural(len(done), 'configuration')} trained{without}; no other is better in all of accuracy, training "
            f"time, throughput and memory than {int(done['on_front'].sum())} of them. Half of the trials had found "
            f"{100 * half:.0f} % of the hypervolume.",
        )
    ]
    kept = cells[(cells["n"] > 0) & (cells["cell"] != BASELINE)]
    chosen = trials[trials["confirmed"] & trials["state"].eq("complete")].drop_duplicates("configuration")
    both = kept.merge(chosen, left_on="cell", right_on="configuration", suffixes=("", "_search"))
    if len(both):
        lost = (both["val_accuracy"] - both["val_accuracy_mean"]).astype(float)
        best = kept.sort_values("val_accuracy_mean", ascending=False).iloc[0]  # a choice, so not by the test set
        accuracy = f"{hundredths(best['test_accuracy_mean'])} %"
        out.append(
            Sentence(
                "Confirmed",
                f"With fresh seeds, validation accuracy of {plural(len(both), 'configuration')} of the front is on "
                f"average {_shrunk(lost.mean())}; the most accurate there, `{best['cell']}`, has {accuracy} "
                f"({span(best['test_accuracy_low'], best['test_accuracy_high'])}) on the test set.",
            )
        )
    if len(importance):
        top = importance.set_index("setting")["val_accuracy"].sort_values(ascending=False)
        out.append(
            Sentence(
                "Importance",
                f"What moved accuracy most over the sampled trials is `{top.index[0]}` ({100 * top.iloc[0]:.0f} %); "
                "importance follows where the sampler looked and is no effect of an ablation.",
            )
        )
    return out


def front_columns(settings: Sequence[str]) -> list[Column]:
    """Of the complete rows of `trials_frame`."""
    return [
        Column("trial", lambda row: number(row["number"], 0), ("number",)),
        *(_setting(name) for name in settings),
        Column("validation, %", lambda row: hundredths(row["val_accuracy"]), ("val_accuracy",)),
        Column("training, s", lambda row: number(row["train_seconds"], 1), ("train_seconds",)),
        Column(
            "inference, images/s", lambda row: number(row["infer_images_per_second"], 0), ("infer_images_per_second",)
        ),
        Column("GPU memory, MiB", lambda row: number(row["gpu_memory_mib"], 1), ("gpu_memory_mib",)),
        Column("parameters", lambda row: number(row["params"], 0), ("params",)),
        Column("state", _state, ("state",), numeric=False),
    ]


def importance_columns(importance: pd.DataFrame) -> list[Column]:
    """Of `Front.importance`."""
    names = [str(name) for name in importance if name != "setting"]
    return [
        Column("setting", lambda row: str(row["setting"]), ("setting",), numeric=False),
        *(Column(f"{name}, %", _share(name), (name,)) for name in names),
    ]


def _share(name: str) -> Callable[[Row], str]:
    return lambda row: hundredths(row[name], 0)


def _state(row: Row) -> str:
    if row["state"] != "complete":
        return f"{row['state']}: {row['reason']}"
    return "confirmed" if row["confirmed"] else "on the front" if row["on_front"] else "dominated"


def _setting(name: str) -> Column:
    def text(row: Row) -> str:
        value = row.get(name)
        return "–" if missing(value) else f"{value:.3g}" if isinstance(value, float) else str(value)

    return Column(name, text, (name,), numeric=False)


def _shrunk(lost: float) -> str:
    """What became of validation accuracies that were chosen for being high."""
    if lost > 0:
        return f"{100 * lost:.2f} points lower than the search saw, which is the luck of being chosen"
    return f"{-100 * lost:.2f} points higher than the search saw: they were not chosen for their luck"
