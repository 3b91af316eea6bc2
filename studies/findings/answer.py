"""The answer to a study in at most five sentences that anybody understands, none beyond its verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from studies.design.plan import Plan
from studies.findings.column import records
from studies.findings.forecast import between
from studies.findings.words import enough, plural, signed, the_baseline
from studies.statistics.verdicts import SETTLED

SHOWN = 3  # of a kind; more are counted


@dataclass(frozen=True)
class Sentence:
    """One sentence; names of arms, factors and levels stand in `backticks`."""

    topic: str
    text: str


def answer(
    plan: Plan, cells: pd.DataFrame, contrasts: pd.DataFrame, effects: pd.DataFrame, speeds: pd.DataFrame
) -> list[Sentence]:
    """What to choose, what does not matter, what is open, what depends on what, and what it costs in speed.

    Args:
        plan: of the study.
        cells: one row per arm.
        contrasts: of `effects.contrasts_frame`.
        effects: of `effects.effects_frame`.
        speeds: of `costs.speed_contrasts`.
    """
    if not (cells["n"] > 0).any():
        return [Sentence("No answer yet", "Not one trial is complete, so nothing can be said.")]
    if (cells["n"] > 0).sum() == 1:
        only = cells[cells["n"] > 0].iloc[0]["cell"]
        return [Sentence("One arm", f"Only `{only}` has results, so there is nothing to compare it with.")]
    texts = {
        "Choose": choose(plan, cells, contrasts, effects),
        "Does not matter": no_matter(effects),
        "Open": still_open(effects),
        "It depends": depends(effects),
        "Speed": speed(plan, contrasts, speeds),
    }
    return [Sentence(topic, text) for topic, text in texts.items() if text]


def choose(plan: Plan, cells: pd.DataFrame, contrasts: pd.DataFrame, effects: pd.DataFrame) -> str:
    """The levels that won, factor by factor; with the arm that beats the baseline, if that is more than one of them.

    Of several that are better, validation chooses: the test set is for telling by how much.
    """
    validation = cells.set_index("cell")["val_accuracy_mean"].astype(float)
    changed = _changed(plan)
    of_factors = [
        (str(name), rows, _best(rows, changed, validation)) for name, rows in effects.groupby("factor", sort=False)
    ]
    parts = [part for found in of_factors if (part := _choice(*found))]
    winner = _winner(contrasts, validation)
    if winner is not None and all(best is None or best["arm"] != winner["a"] for *_, best in of_factors):
        size = _span(winner, size=True)
        parts.insert(0, f"`{winner['a']}` beats {the_baseline(plan.baseline)} by {size}")
    if not parts:
        return (
            f"Nothing yet: no change from {the_baseline(plan.baseline)} is shown to be better or worse "
            f"({_seeds(effects if len(effects) else contrasts)})."
        )
    said = "; ".join(parts)
    seeds = _seeds(effects if len(effects) else contrasts)
    return f"{said[0].upper()}{said[1:]} ({seeds}, 95 % intervals in brackets)."


def no_matter(effects: pd.DataFrame) -> str:
    """Changes that were shown to be too small to matter."""
    rows = effects[effects["verdict"] == "equivalent"]
    if not len(rows):
        return ""
    margin = f"{100 * rows.iloc[0]['margin']:.1f} points"
    return f"{_listed(_change(row) for _, row in rows.iterrows())}: no difference that matters (within {margin})."


def still_open(effects: pd.DataFrame) -> str:
    """Changes of which nothing could be shown, what would have shown, and what would settle them."""
    rows = effects[~effects["verdict"].isin(SETTLED)]
    if not len(rows):
        return ""
    said = _listed(_change(row) for _, row in rows.sort_values("difference", key=abs, ascending=False).iterrows())
    found = rows["detectable"].replace(np.inf, np.nan).dropna()
    if not rows["n"].any():
        return f"Not settled: {said}; without a seed complete in both nothing can be compared."
    if not len(found):
        return f"Not settled: {said}; one seed tells nothing of luck, so more are needed."
    if not rows["share"].any():
        return f"Not settled: {said}; nothing is decided before the planned look."
    return f"Not settled: {said}; {enough(found.max())} would have shown with 80 % probability, and {_cure(rows)}."


def depends(effects: pd.DataFrame) -> str:
    """The change whose size depends most on the other choices, where an interaction was shown."""
    rows = effects[effects["interacts"].fillna(False).astype(bool) & effects["largest"].notna()]
    if not len(rows):
        return ""
    row = rows.iloc[int((rows["largest"] - rows["smallest"]).astype(float).abs().argmax())]
    return (
        f"How much `{row['factor']}` matters depends on the other choices: {row['a']} instead of {row['b']} makes "
        f"{signed(row['largest'])} points at most and {signed(row['smallest'])} at least over {row['settings']:.0f} "
        "settings, so read the grid before the average."
    )


def speed(plan: Plan, contrasts: pd.DataFrame, speeds: pd.DataFrame) -> str:
    """The fastest arm that is not shown to be worse."""
    if not len(speeds):
        return "Not measured: nothing can be said of accuracy per cost."
    accuracy = contrasts[contrasts["factor"] == "cell"].set_index("a")
    fine = [arm for arm in speeds["a"] if arm in accuracy.index and accuracy.loc[arm, "verdict"] != "worse"]
    faster = speeds[speeds["a"].isin(fine) & (speeds["verdict"] == "better")]
    if not len(faster):
        return f"No arm is shown to train faster than {the_baseline(plan.baseline)} without being shown less accurate."
    best = faster.iloc[int(faster["ratio"].argmax())]
    found = accuracy.loc[best["a"]]
    return (
        f"Of the arms not shown to be less accurate, `{best['a']}` trains fastest, {best['ratio']:.2f} times as fast "
        f"as the baseline ({best['ratio_low']:.2f} to {best['ratio_high']:.2f}), at {_span(found)} of accuracy "
        f"({found['verdict']})."
    )


def _choice(factor: str, rows: pd.DataFrame, best: pd.Series[Any] | None) -> str:
    """``use `chunking` conv: better than tiles by 1.13 points (...)``; empty where nothing was shown."""
    if best is not None:
        return f"use `{factor}` {best['a']}: better than {best['b']} by {_span(best, size=True)}"
    worse = rows[rows["verdict"] == "worse"]
    if not len(worse):
        return ""
    ordered = worse.sort_values("difference", key=abs, ascending=False)
    costs = [
        f"{row['a']} {'' if i else 'costs '}{_span(row, True, not i)}" for i, (_, row) in enumerate(ordered.iterrows())
    ]
    return f"keep `{factor}` {worse.iloc[0]['b']}: {_listed(costs)}"


def _changed(plan: Plan) -> dict[tuple[str, str], str]:
    """Arms that are the baseline with one other level, by factor and level."""
    levels = {cell.name: cell.levels for cell in plan.cells}
    found = {}
    for arm, own in levels.items():
        differ = [(name, str(level)) for name, level in own.items() if level != levels[plan.baseline][name]]
        if len(differ) == 1:
            found[differ[0]] = arm
    return found


def _best(
    rows: pd.DataFrame, changed: Mapping[tuple[str, str], str], validation: pd.Series[float]
) -> pd.Series[Any] | None:
    """Of a factor's levels that are better than the baseline's, the one that validation would choose, and its arm."""
    better = rows[rows["verdict"] == "better"]
    if not len(better):
        return None
    arms = [changed.get((row["factor"], str(row["a"])), "") for row in records(better)]
    chosen: pd.Series[Any] = better.assign(arm=arms).iloc[_first(arms, validation)]
    return chosen


def _winner(contrasts: pd.DataFrame, validation: pd.Series[float]) -> pd.Series[Any] | None:
    """Of the arms that are better than the baseline, the one that validation would choose."""
    better = contrasts[(contrasts["factor"] == "cell") & (contrasts["verdict"] == "better")]
    if not len(better):
        return None
    chosen: pd.Series[Any] = better.iloc[_first(list(better["a"]), validation)]
    return chosen


def _first(arms: Sequence[str], validation: pd.Series[float]) -> int:
    """The place of the arm with the highest validation accuracy."""
    return int(validation.reindex(pd.Index(arms)).fillna(-np.inf).to_numpy().argmax())


def _change(row: pd.Series[Any]) -> str:
    said = f"{_span(row)}" if row["n"] else "no seed complete in both"
    return f"`{row['factor']}` {row['a']} instead of {row['b']} ({said})"


def _span(row: pd.Series[Any], size: bool = False, unit: bool = True) -> str:
    """Difference and interval in points; its size alone, where a verb says the direction."""
    points = " points" if unit else ""
    turn = -1 if size and row["difference"] < 0 else 1
    low, high = sorted((turn * row["low"], turn * row["high"]))
    say = (lambda value: signed(value).removeprefix("+")) if size else signed
    if pd.isna(low):
        return f"{say(turn * row['difference'])}{points}"
    bounds = f"{say(low)} to {say(high)}"
    return (
        f"{say(turn * row['difference'])}{points} ({bounds})" if size else f"{say(row['difference'])}{points}, {bounds}"
    )


def _seeds(rows: pd.DataFrame) -> str:
    low, high = int(rows["n"].min()), int(rows["n"].max())
    return f"n = {high}" if low == high else f"n = {low} to {high}"


def _cure(rows: pd.DataFrame) -> str:
    """How many seeds the unsettled ones want."""
    needed = rows["seeds_needed"].replace(np.inf, np.nan).dropna()
    if not len(needed):
        return "no affordable number of seeds would settle differences as small"
    low, high = needed.min(), needed.max()
    seeds = f"about {plural(high, 'seed')}" if low == high else f"about {low:,.0f} to {high:,.0f} seeds"
    those = "it" if len(rows) == 1 else "them"
    return f"{seeds} would settle {those}, were these differences the truth{between(records(rows))}"


def _listed(items: Iterable[str]) -> str:
    found = list(items)
    more = [f"{len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return ", ".join([*found[:SHOWN], *more])
