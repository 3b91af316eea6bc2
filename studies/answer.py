"""The answer to a study in a few sentences, written from its tables and their verdicts, never beyond them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from studies.anova import factorial
from studies.design import Plan
from studies.phrases import evidence, p_value, percent, plural, probability, settling, verdict
from studies.seed_variance import SeedVariance, split_seed_variance
from studies.statistics import ALPHA, VERDICTS
from studies.trial import unpack

SHOWN = 3  # of a kind; more are counted


@dataclass(frozen=True)
class Sentence:
    """One sentence; names of arms, factors and levels stand in `backticks`."""

    topic: str
    text: str


def answer(
    plan: Plan,
    runs: pd.DataFrame,
    cells: pd.DataFrame,
    contrasts: pd.DataFrame,
    effects: pd.DataFrame,
    front: pd.DataFrame | None,
) -> list[Sentence]:
    """Best arm, main effects, where the variance is, the price in speed, and seed noise; one sentence each.

    Args:
        plan: of the study.
        runs: one row per trial.
        cells: one row per arm, the highest mean first.
        contrasts: of `tables.contrasts_frame`.
        effects: of `tables.effects_frame`.
        front: of `front.speed_front`.
    """
    if not (cells["n"] > 0).any():
        return [Sentence("No answer yet", "Not one trial is complete, so nothing can be said.")]
    texts = {
        "Highest mean": best_arm(plan, cells, contrasts),
        "Main effects": main_effects(effects),
        "Variance": shares(plan, runs),
        "Accuracy and speed": trade_off(plan, front),
        "Noise": noise(runs),
    }
    return [Sentence(topic, text) for topic, text in texts.items() if text]


def best_arm(plan: Plan, cells: pd.DataFrame, contrasts: pd.DataFrame) -> str:
    """The arm with the highest mean, and what its contrast with the baseline supports."""
    ranked = cells[cells["n"] > 0]
    best = ranked.iloc[0]
    if len(ranked) == 1:
        return f"One arm has results, `{best['cell']}` with {_mean(best)}, so there is nothing to compare it with."
    against = contrasts[contrasts["factor"] == "cell"].set_index("a")
    if best["cell"] == plan.baseline:
        after = ranked.iloc[1]["cell"]
        return (
            f"No arm has a higher mean test accuracy than the baseline `{plan.baseline}` with {_mean(best)}; "
            f"the next of {len(ranked)} arms, `{after}`, is {verdict(against.loc[after], 'it')}."
        )
    said = f"The highest mean test accuracy of {len(ranked)} arms is that of `{best['cell']}`, {_mean(best)}; it is "
    if best["cell"] not in against.index or pd.isna(against.loc[best["cell"], "difference"]):
        return said + f"not comparable with the baseline `{plan.baseline}`: no seed is complete in both."
    return said + verdict(against.loc[best["cell"]], f"the baseline `{plan.baseline}`") + "."


def main_effects(effects: pd.DataFrame) -> str:
    """Changes away from the baseline's levels, averaged over the other factors, grouped by verdict."""
    if not len(effects):
        return ""
    groups = [(word, effects[effects["verdict"] == word]) for word in VERDICTS]
    one_n = effects["n"].nunique() == 1
    parts = [_group(word, rows, len(effects), not one_n) for word, rows in groups if len(rows)]
    pairs = f" (n = {effects['n'].iloc[0]})" if one_n else ""
    away = "the one change" if len(effects) == 1 else f"the {len(effects)} changes"
    return f"Of {away} away from a level of the baseline, averaged over the other factors{pairs}, {'; '.join(parts)}."


def shares(plan: Plan, runs: pd.DataFrame) -> str:
    """What each factor and the interactions explain of the variance between trials."""
    table = variance_table(plan, runs)
    if table is None:
        return ""
    share = dict(zip(table["term"], table["eta2"].astype(float), strict=True))
    num_seeds = runs.loc[runs["status"] == "complete", "seed"].nunique()
    luck = "; with one seed these shares hold its luck as well" if num_seeds == 1 else ""
    names = sorted((name for name in plan.factors if name in share), key=lambda name: -share[name])
    said = ", ".join(f"`{name}` explains {percent(share[name], 0)}" for name in names)
    rest = share["residual"] + share.get("seed", 0.0)
    return (
        f"Of the variance of test accuracy between trials, {said}, {_interactions(table, num_seeds)}and what none of "
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


def variance_table(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame | None:
    """`anova.factorial` over the factors that vary among complete trials; None where nothing can be split."""
    complete = runs[runs["status"] == "complete"]
    factors = [name for name in plan.factors if complete[name].astype(str).nunique() > 1]
    if not factors or len(complete) < 3 or complete["test_accuracy"].nunique() < 2:
        return None
    return factorial(complete, factors)


def seed_variances(runs: pd.DataFrame) -> Iterator[SeedVariance]:
    """Of every arm with two seeds or more whose right and wrong test images were kept."""
    if "test_correct" not in runs:
        return
    kept = runs[(runs["status"] == "complete") & runs["test_correct"].notna()]
    for _, arm in kept.groupby("cell", sort=False):
        if len(arm) > 1:
            yield split_seed_variance(np.stack([unpack(text).numpy() for text in arm["test_correct"]]))


def _mean(cell: pd.Series[Any]) -> str:
    """``98.12 % (95 % interval 97.90 to 98.34, n = 5)``."""
    low, high = 100 * cell["test_accuracy_low"], 100 * cell["test_accuracy_high"]
    bounds = "" if pd.isna(low) else f"95 % interval {low:.2f} to {high:.2f}, "
    failed = f", {cell['failed']} failed" if cell["failed"] else ""
    return f"{percent(cell['test_accuracy_mean'])} ({bounds}n = {cell['n']}{failed})"


def _group(word: str, rows: pd.DataFrame, of: int, say_n: bool) -> str:
    """``2 are worse (...)``, the largest differences first."""
    rows = rows.sort_values("difference", key=lambda column: -column.abs())
    named = [_change(row, say_n) for _, row in rows.head(SHOWN).iterrows()]
    more = [f"and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    count = ("it" if of == 1 else "all") if len(rows) == of else f"{len(rows)}"
    are = "is" if len(rows) == 1 else "are"
    meaning = {
        "equivalent": f"equivalent within ±{100 * rows.iloc[0]['margin']:.1f} points",
        "no detectable difference": "without a detectable difference",
    }.get(word, word)
    return f"{count} {are} {meaning} ({'; '.join([*named, *more])}){_cure(word, rows)}"


def _change(row: pd.Series[Any], say_n: bool) -> str:
    said = evidence(row, n=say_n) if row["n"] else "no seed complete in both"
    return f"`{row['factor']}` {row['a']} instead of {row['b']} {said}"


def _cure(word: str, rows: pd.DataFrame) -> str:
    """How many seeds the unsettled ones want."""
    if word not in ("underpowered", "no detectable difference"):
        return ""
    if len(rows) == 1:
        return f"; {settling(rows.iloc[0])}"
    needed = rows["seeds_needed"].replace(np.inf, np.nan).dropna()
    if not len(needed):
        return ", and one seed cannot tell how many would settle them"
    low, high = needed.min(), needed.max()
    return f", which about {plural(high, 'seed') if low == high else f'{low:,.0f} to {high:,.0f} seeds'} would settle"


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
