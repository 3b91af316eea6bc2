"""What the arms' contrasts are, and what every choice changes: alone at the baseline, in each setting, on average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from studies.design.plan import Cell, Plan
from studies.statistics.families import contrasts_against, factor_contrasts, simple_effects
from studies.statistics.images import MOST_SEEDS, image_error
from studies.statistics.judging import Look
from studies.trial.record import unpack

EXTRA = ["interacts", "settings", "smallest", "largest", "average", "average_low", "average_high", "average_verdict"]


def contrasts_frame(plan: Plan, runs: pd.DataFrame, looks: Sequence[Look] = ()) -> pd.DataFrame:
    """Every arm against the baseline, every change in every setting, and every pair of levels on average.

    Args:
        plan: of the study.
        runs: one row per trial.
        looks: so far, the present one last.
    """
    done = runs[runs["status"].isin(["complete", "failed"])]
    if not (done["cell"] == plan.baseline).any():
        done = runs
    images = image_errors(plan, done)
    frames = [contrasts_against(done, plan.baseline, plan.compares, looks=looks, image_errors=images)]
    if plan.factors:
        factors = list(plan.factors)
        if len(factors) > 1:
            frames.append(simple_effects(done, factors, baseline_levels(plan), plan.compares, looks=looks))
        frames.append(
            factor_contrasts(
                done, factors, plan.compares, looks=looks, baseline=baseline_levels(plan), balanced=plan.balanced
            )
        )
    return pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)


def effects_frame(plan: Plan, contrasts: pd.DataFrame, interacting: Sequence[str] = ()) -> pd.DataFrame:
    """Every change away from a baseline level, all else at the baseline; then its range and its average elsewhere.

    The columns of a contrast speak of the change at the baseline. ``smallest`` and ``largest`` are the differences
    that the same change makes over all ``settings`` of the other factors, ``average*`` is their average with its own
    verdict, and ``interacts`` says whether it misleads: the factor's effect depends on another.

    Args:
        plan: of the study.
        contrasts: of `contrasts_frame`.
        interacting: factors whose interactions were detected.
    """
    alone = contrasts[contrasts["factor"] == "cell"].set_index("a", drop=False)
    rows = []
    if plan.balanced:  # hardly an arm differs from the baseline in one factor alone: what speaks are the averages
        bases = contrasts["factor"].map(baseline_levels(plan))
        averaged = contrasts[(contrasts["setting"] == "") & _is_each(contrasts["b"], bases)]
        return averaged.reindex(columns=[*contrasts.columns, *EXTRA]).assign(interacts=False, settings=1)
    for factor, level, cell in single_changes(plan):
        if cell.name in alone.index:
            of_factor = contrasts[contrasts["factor"] == factor]
            row = {**alone.loc[cell.name].to_dict(), "factor": factor, "a": level, "b": baseline_levels(plan)[factor]}
            rows.append(row | {"interacts": factor in interacting} | _elsewhere(of_factor, level, row["b"]))
    levels = {side: pd.Series([row[side] for row in rows], dtype=object) for side in "ab"}  # 512 beside 0.01 stays 512
    return pd.DataFrame(rows, columns=[*contrasts.columns, *EXTRA]).assign(**levels)


def settings_of(contrasts: pd.DataFrame, effect: pd.Series[Any]) -> pd.DataFrame:
    """The same change as that of a row of `effects_frame`, in each setting of the other factors."""
    rows = contrasts[(contrasts["factor"] == effect["factor"]) & (contrasts["setting"] != "")]
    same: pd.DataFrame = rows[_is(rows["a"], effect["a"])]
    return same


def single_changes(plan: Plan) -> list[tuple[str, Any, Cell]]:
    """Factor, level and cell of every arm that differs from the baseline in that factor alone."""
    base = baseline_levels(plan)
    found = []
    for factor in plan.factors:
        for cell in plan.cells:
            changed = [name for name, level in cell.levels.items() if level != base[name]]
            if changed == [factor]:
                found.append((factor, cell.levels[factor], cell))
    return found


def baseline_levels(plan: Plan) -> Mapping[str, Any]:
    """The baseline's level of every factor."""
    return plan.baseline_cell.levels


def image_errors(plan: Plan, runs: pd.DataFrame) -> dict[str, float]:
    """What the choice of test images adds to the error of every arm against the baseline, where that was kept."""
    if "test_correct" not in runs or plan.compares.metric != "test_accuracy":
        return {}
    complete = runs[(runs["status"] == "complete") & runs["test_correct"].notna()]
    by_cell = {name: rows.set_index("seed")["test_correct"] for name, rows in complete.groupby("cell", sort=False)}
    baseline = by_cell.pop(plan.baseline, pd.Series(dtype=object))
    known: dict[Any, Any] = {}
    return {str(name): _image_error(kept, baseline, known) for name, kept in by_cell.items()}


def _image_error(kept: pd.Series[Any], baseline: pd.Series[Any], known: dict[Any, Any]) -> float:
    shared = [seed for seed in kept.index if seed in baseline.index][:MOST_SEEDS]
    if not shared:
        return float("nan")
    for seed in shared:
        if seed not in known:
            known[seed] = unpack(baseline[seed]).numpy()
    return image_error([unpack(kept[seed]).numpy() for seed in shared], [known[seed] for seed in shared])


def _elsewhere(of_factor: pd.DataFrame, level: Any, base: Any) -> dict[str, Any]:
    """What the same change does in other settings, and on average."""
    here = of_factor[of_factor["setting"] != ""]
    simple = here.loc[_is(here["a"], level), "difference"].dropna()
    out = {"settings": max(1, len(simple))}
    if len(simple):
        out |= {"smallest": simple.iloc[simple.abs().argmin()], "largest": simple.iloc[simple.abs().argmax()]}
    averaged = of_factor[of_factor["setting"] == ""]
    pair = averaged[_is(averaged["a"], level) & _is(averaged["b"], base)]
    if len(simple) and len(pair):
        first = pair.iloc[0]
        out |= {"average": first["difference"], "average_low": first["low"], "average_high": first["high"]}
        out |= {"average_verdict": first["verdict"]}
    return out


def _is_each(column: pd.Series[Any], levels: pd.Series[Any]) -> np.ndarray:
    return np.array([value == level for value, level in zip(column, levels, strict=True)], dtype=bool)


def _is(column: pd.Series[Any], level: Any) -> np.ndarray:
    """Element by element: levels may be tuples, which pandas would broadcast."""
    return np.array([value == level for value in column], dtype=bool)
