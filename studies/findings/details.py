"""What a careful reader asks next: the best arm on validation, the price in speed, the variance, the noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from studies.design.balance import design_lines
from studies.design.designs import FULL
from studies.design.plan import Plan
from studies.findings.answer import Sentence
from studies.findings.fidelity import sentence, within
from studies.findings.identical import pairs_called_different
from studies.findings.packs import packed_differently
from studies.findings.variance import seed_variances
from studies.findings.words import p_value, percent, plural, probability, the_baseline, verdict
from studies.statistics.families import by_cell
from studies.statistics.luck import decided_range
from studies.statistics.question import ALPHA
from studies.statistics.verdicts import SETTLED

SHOWN = 3  # of a kind; more are counted


def details(
    plan: Plan,
    runs: pd.DataFrame,
    cells: pd.DataFrame,
    contrasts: pd.DataFrame,
    variance: pd.DataFrame | None,
    front: pd.DataFrame | None,
) -> list[Sentence]:
    """Best arm, where the variance is, the price in speed, and seed noise; one sentence each.

    Args:
        plan: of the study.
        runs: one row per trial.
        cells: one row per arm.
        contrasts: of `effects.contrasts_frame`.
        variance: of `variance.variance_table`.
        front: of `costs.speed_front`.
    """
    if not (cells["n"] > 0).any():
        return []
    texts = {
        "Design": design(plan),
        "Identical arms": pairs_called_different(plan, runs),
        "Packs": packed_differently(plan, runs),
        "Fidelity": sentence(within(runs, list(plan.factors), plan.compares)),
        "Luck": luck(plan, runs, contrasts),
        "Highest on validation": best_arm(plan, cells, contrasts),
        "Accuracy and speed": trade_off(plan, front),
        "Variance": shares(plan, runs, variance),
        "Noise": noise(runs),
    }
    return [Sentence(topic, text) for topic, text in texts.items() if text]


def design(plan: Plan) -> str:
    """What a study that does not run all combinations leaves open; empty where it runs them all."""
    if plan.design == FULL:
        return ""
    lines = (line.removeprefix("design: ") for line in design_lines(plan))
    return ". ".join(line[0].upper() + line[1:] for line in lines) + "."


def luck(plan: Plan, runs: pd.DataFrame, contrasts: pd.DataFrame) -> str:
    """How many arms are decided, and how many other seeds would have decided."""
    arms = contrasts[contrasts["factor"] == "cell"]
    if len(arms) < 2 or not arms["share"].any():  # a look that may decide nothing
        return ""
    values, _ = by_cell(runs, plan.compares.metric, "seed")
    order = [plan.baseline, *(name for name in values if name != plan.baseline)]
    found = decided_range(values[order].to_numpy().T, plan.compares, float(arms["share"].max()))
    if found is None:
        return ""
    decided, (low, high) = int(arms["verdict"].isin(SETTLED).sum()), found
    others = f"{low}" if low == high else f"{low} to {high}"
    return (
        f"{decided} of {len(arms)} arms are decided against the baseline. How many is luck, too: were the differences "
        f"(less their noise) the truth, nine of ten repetitions with other seeds would decide {others}."
    )


def best_arm(plan: Plan, cells: pd.DataFrame, contrasts: pd.DataFrame) -> str:
    """The arm that validation would choose, and what its contrast with the baseline on test images supports."""
    ranked = cells[cells["n"] > 0].sort_values("val_accuracy_mean", ascending=False, kind="stable")
    best = ranked.iloc[0]
    if len(ranked) == 1:
        return f"One arm has results, `{best['cell']}` with {_mean(best)}, so there is nothing to compare it with."
    said = (
        f"Of {len(ranked)} arms `{best['cell']}` has the highest mean validation accuracy; on test images {_mean(best)}"
    )
    if best["cell"] == plan.baseline:
        return f"{said}. It is the baseline."
    against = contrasts[contrasts["factor"] == "cell"].set_index("a")
    if best["cell"] not in against.index or pd.isna(against.loc[best["cell"], "difference"]):
        return f"{said}; not comparable with {the_baseline(plan.baseline)}: no seed is complete in both."
    return f"{said}, {verdict(against.loc[best['cell']], the_baseline(plan.baseline))}."


def shares(plan: Plan, runs: pd.DataFrame, table: pd.DataFrame | None) -> str:
    """What each factor and the interactions explain of the variance between trials."""
    if table is None:
        return ""
    share = dict(zip(table["term"], table["eta2"].astype(float), strict=True))
    num_seeds = runs.loc[runs["status"] == "complete", "seed"].nunique()
    luck = "; with one seed these shares hold its luck as well" if num_seeds == 1 else ""
    names = sorted((name for name in plan.factors if name in share), key=lambda name: -share[name])
    said = ", ".join(f"`{name}` explains {percent(share[name], 0)}" for name in names)
    pairs = _interactions(table, num_seeds) if plan.design == FULL else ""  # else mixed up, or not to be seen
    rest = share["residual"] + share.get("seed", 0.0)
    return (
        f"Of the variance of test accuracy between trials, {said}, {pairs}and what none of "
        f"these explains, seeds included, is {percent(rest, 0)}{luck}."
    )


def trade_off(plan: Plan, front: pd.DataFrame | None) -> str:
    """Which arms no other arm beats in both accuracy and speed, and how surely."""
    if front is None:
        return "Speed was not measured, so nothing can be said of accuracy per cost."
    members = front[front["on_front"]].sort_values("accuracy", ascending=False)
    shown = ", ".join(_member(str(name), row) for name, row in members.head(SHOWN + 1).iterrows())
    more = f" and {len(members) - SHOWN - 1} more" if len(members) > SHOWN + 1 else ""
    if front["probability"].isna().all():
        return (
            f"On the Pareto front of accuracy and training speed {_are(len(members))} {shown}{more}, by the means of "
            "one seed, which give no probability."
        )
    return (
        f"On the Pareto front of accuracy and training speed {_are(len(members))} by the means {shown}{more}; "
        f"{_outside(plan, front)}the probability is the share of resampled seeds and timing rounds."
    )


def noise(runs: pd.DataFrame) -> str:
    """How much arms vary between seeds, and how much of that any network would show on a finite test set."""
    found = list(seed_variances(runs))
    if not found:
        return (
            "One seed per arm leaves unknown how much accuracy varies between seeds: any difference above may be "
            "luck of initialisation, order, or test images."
        )
    total, finite = (float(np.mean([getattr(v, name) for v in found])) for name in ("total", "finite_test_set"))
    if total == 0:
        return f"Seeds of one arm do not differ at all in test accuracy over {len(found)} arms, which is suspicious."
    images = f"{found[0].examples:,} test images"
    head = (
        f"Seeds of one arm vary in test accuracy with a standard deviation of {100 * total**0.5:.2f} points "
        f"(from the mean variance of {plural(len(found), 'arm')})"
    )
    if finite >= total:
        return f"{head}, no more than equally good networks would show on {images}."
    return (
        f"{head}; {percent(finite / total, 0)} of that variance is what equally good networks would show on {images}, "
        f"and the rest, a standard deviation of {100 * (total - finite) ** 0.5:.2f} points, is training."
    )


def _mean(cell: pd.Series[Any]) -> str:
    """``98.12 % (95 % interval 97.90 to 98.34, n = 5)``."""
    low, high = 100 * cell["test_accuracy_low"], 100 * cell["test_accuracy_high"]
    bounds = "" if pd.isna(low) else f"95 % interval {low:.2f} to {high:.2f}, "
    failed = f", {cell['failed']} failed" if cell["failed"] else ""
    return f"{percent(cell['test_accuracy_mean'])} ({bounds}n = {cell['n']}{failed})"


def _interactions(table: pd.DataFrame, num_seeds: int) -> str:
    pairs = table[table["term"].str.contains(":")]
    if not len(pairs):
        return ""
    largest = pairs.sort_values("eta2").iloc[-1]
    said = f"pairs of factors together {percent(pairs['eta2'].sum(), 0)}"
    if num_seeds == 1 or pd.isna(largest["p_holm"]):  # nothing but interactions to test an interaction against
        return f"{said}, "
    if largest["p_holm"] > ALPHA:
        return f"{said} (no interaction is detected), "
    names = " × ".join(f"`{name}`" for name in largest["term"].split(":"))
    return f"{said} (mostly {names}, F test {p_value(largest['p_holm'])}: what one changes depends on the other), "


def _member(name: str, row: pd.Series[Any]) -> str:
    chance = "" if pd.isna(row["probability"]) else f", probability {probability(row['probability'])}"
    return f"`{name}` ({percent(row['accuracy'])}, {row['cost']:,.0f} images/s{chance})"


def _outside(plan: Plan, front: pd.DataFrame) -> str:
    if plan.baseline not in front.index or front.loc[plan.baseline, "on_front"]:
        return ""
    return f"the baseline is not on it (probability {probability(front['probability'][plan.baseline])}); "


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
