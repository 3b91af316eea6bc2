"""What tuning did: every trial of it, the difference it made per arm, and whether a verdict flips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from studies.design.plan import Plan
from studies.design.tuned import tuned_pairs
from studies.findings.answer import Sentence
from studies.findings.columns import Column
from studies.findings.tables import searched_traceback
from studies.findings.words import hundredths, missing, number, plural, signed, span
from studies.ledger.found import searches
from studies.ledger.ledger import Ledger
from studies.statistics.families import by_cell
from studies.statistics.judging import Look, Pair, judge_pairs
from studies.statistics.verdicts import Contrast

LEAD = [
    "cell",
    "place",
    "number",
    "seed",
    "state",
    "reason",
    "val_accuracy",
    "epochs",
    "wall_seconds",
    "chosen",
    "traceback",
]
OPEN = "undecided"


@dataclass(frozen=True)
class Tuning:
    """Tables of a tuned study.

    Args:
        trials: one row a tuning trial, whatever became of it; its settings are columns of their own.
        settings: names of what was varied.
        arms: one row a tuned arm: what was found, and what it changed on the test set.
        sentences: what follows.
    """

    trials: pd.DataFrame
    settings: list[str]
    arms: pd.DataFrame
    sentences: Sequence[Sentence]


def find_tuning(ledger: Ledger, plan: Plan, runs: pd.DataFrame, looks: Sequence[Look] = ()) -> Tuning | None:
    """What a ledger knows of the tuning of its plan; None where no arm is tuned."""
    pairs = tuned_pairs(plan)
    if not pairs:
        return None
    trials, settings = trials_frame(ledger, {tuned: arm for arm, tuned in pairs.items()}, plan)
    arms = arms_frame(plan, runs, trials, settings, pairs, looks)
    return Tuning(trials, settings, arms, list(sentences(plan, arms, pairs)))


def trials_frame(ledger: Ledger, names: Mapping[str, str], plan: Plan) -> tuple[pd.DataFrame, list[str]]:
    """One row per tuning trial, and which settings were varied; ``names``: tuned arm -> the arm as declared."""
    rows, varied = [], dict[str, None]()
    cells = {cell.name: cell for cell in plan.runnable}
    hashes = {cells[name].content_hash: name for name in names.values() if name in cells}
    for about, found in searches(ledger):
        if about.get("cell_hash") not in hashes:
            continue
        varied |= dict.fromkeys(about["space"])
        done = [one for one in found if one.state == "complete"]
        best = max(done, key=lambda one: (one.values[0], -one.number), default=None)
        for one in found:
            value = one.values[0] if one.values else None
            record = one.record
            rows.append(
                {
                    "cell": hashes[about["cell_hash"]],
                    "place": one.place,
                    "number": one.number,
                    "seed": record.get("seed"),
                    "state": one.state,
                    "reason": one.reason,
                    "val_accuracy": value,
                    "epochs": len(record.get("curve", ())),
                    "wall_seconds": record.get("wall_seconds"),
                    "chosen": one is best,
                    "traceback": searched_traceback(about["arm"], one),
                    **one.settings,
                }
            )
    order = {cell.name: i for i, cell in enumerate(plan.cells)}
    frame = pd.DataFrame(rows, columns=[*LEAD, *varied])
    frame = frame.sort_values(["cell", "number"], key=lambda s: s.map(order) if s.name == "cell" else s)
    return frame.reset_index(drop=True), list(varied)


def arms_frame(
    plan: Plan,
    runs: pd.DataFrame,
    trials: pd.DataFrame,
    settings: Sequence[str],
    pairs: Mapping[str, str],
    looks: Sequence[Look] = (),
) -> pd.DataFrame:
    """One row per tuned arm. Three families of contrasts: tuned against declared, and against the baseline's, both
    as declared and both as tuned.
    """
    values, attempted = by_cell(runs, plan.compares.metric, "seed")
    cells = {cell.name: cell for cell in plan.runnable}

    def judged(wanted: Mapping[str, tuple[str, str]]) -> dict[str, Contrast]:
        kept = {arm: pair for arm, pair in wanted.items() if set(pair) <= set(values.columns)}
        found = judge_pairs(values, attempted, [Pair(*pair) for pair in kept.values()], plan.compares, looks)
        return dict(zip(kept, found, strict=True))

    base, others = plan.baseline, [arm for arm in pairs if arm != plan.baseline]
    by_kind = {
        "made": judged({arm: (tuned, arm) for arm, tuned in pairs.items()}),
        "fixed": judged({arm: (arm, base) for arm in others}),
        "tuned": judged({arm: (pairs[arm], pairs[base]) for arm in others}),
    }
    rows = []
    for arm, tuned in pairs.items():
        own = trials[trials["cell"] == arm]
        row: dict[str, Any] = {"cell": arm, "tuned": tuned, "trials": len(own[own["reason"] != "interrupted"])}
        row |= {"pruned": int((own["state"] == "pruned").sum()), "failed": int((own["state"] == "failed").sum())}
        fields = [vars(cells[name].config) | vars(cells[name].recipe) if name in cells else {} for name in (arm, tuned)]
        for name in settings:
            row |= {f"{name}_fixed": fields[0].get(name), f"{name}_tuned": fields[1].get(name)}
        row |= {"test_fixed": _mean(values, arm), "test_tuned": _mean(values, tuned)}
        for kind, found in by_kind.items():
            for name in ("difference", "low", "high", "p_holm", "verdict", "n"):
                row[f"{kind}_{name}"] = getattr(found[arm], name) if arm in found else None
        row["flips"] = row["fixed_verdict"] != row["tuned_verdict"] and None not in (
            row["fixed_verdict"],
            row["tuned_verdict"],
        )
        rows.append(row)
    return pd.DataFrame(rows)


def sentences(plan: Plan, arms: pd.DataFrame, pairs: Mapping[str, str]) -> list[Sentence]:
    """What tuning changed, and whether it changes a verdict."""
    made = arms.dropna(subset=["made_difference"])
    if not len(made):
        return [Sentence("Tuning", "No arm is complete both as declared and as tuned.")]
    each = int(arms["trials"].max())
    said = ", ".join(
        f"`{row['cell']}` by {signed(row['made_difference'])}{_bounds(row, 'made')} points ({row['made_verdict']})"
        for row in made.to_dict("records")[:4]
    )
    more = f" and {plural(len(made) - 4, 'arm')} more" if len(made) > 4 else ""
    out = [
        Sentence("Tuning", f"{plural(each, 'trial')} an arm on validation changed test accuracy of {said}{more}."),
    ]
    if len(pairs) > 1 and plan.baseline in pairs:
        out.append(Sentence("Flips", _flips(arms, plan.baseline)))
    return out


def _flips(arms: pd.DataFrame, baseline: str) -> str:
    rows = arms[arms["flips"].astype(bool)].to_dict("records")
    if not rows:
        return f"No verdict against `{baseline}` is another one when every arm is tuned."
    said = "; ".join(
        f"`{row['cell']}` is {row['fixed_verdict']} at the declared recipe ({signed(row['fixed_difference'])} points) "
        f"and {row['tuned_verdict']} where both are tuned ({signed(row['tuned_difference'])})"
        for row in rows
    )
    return f"Against `{baseline}`, {said}."


def _bounds(row: Mapping[Any, Any], kind: str) -> str:
    low, high = row[f"{kind}_low"], row[f"{kind}_high"]
    return "" if missing(low) else f" ({span(low, high, signed)})"


def _mean(values: pd.DataFrame, arm: str) -> float | None:
    return float(values[arm].mean()) if arm in values else None


def _contrast(heading: str, kind: str) -> Column:
    def text(row: Mapping[Any, Any]) -> str:
        if missing(row[f"{kind}_difference"]):
            return "–"
        return f"{signed(row[f'{kind}_difference'])}{_bounds(row, kind)} {row[f'{kind}_verdict']}"

    keys = tuple(f"{kind}_{name}" for name in ("difference", "low", "high", "p_holm", "verdict"))
    return Column(heading, text, keys)


def arm_columns(settings: Sequence[str]) -> list[Column]:
    """Of `arms_frame`."""
    return [
        Column("arm", lambda row: str(row["cell"]), ("cell",), numeric=False),
        Column("trials", lambda row: f"{row['trials']} ({row['pruned']} given up)", ("trials", "pruned")),
        *(_change(name) for name in settings),
        Column("declared, %", lambda row: hundredths(row["test_fixed"]), ("test_fixed",)),
        Column("tuned, %", lambda row: hundredths(row["test_tuned"]), ("test_tuned",)),
        _contrast("tuning made, points", "made"),
        _contrast("against the baseline, as declared", "fixed"),
        _contrast("against the baseline, both tuned", "tuned"),
    ]


def trial_columns(settings: Sequence[str]) -> list[Column]:
    """Of `trials_frame`."""
    return [
        Column("arm", lambda row: str(row["cell"]), ("cell",), numeric=False),
        Column("trial", lambda row: number(row["place"], 0), ("place",)),
        *(_setting(name) for name in settings),
        Column("validation, %", lambda row: hundredths(row["val_accuracy"]), ("val_accuracy",)),
        Column("state", lambda row: "chosen" if row["chosen"] else str(row["state"]), ("state",), numeric=False),
    ]


def _change(name: str) -> Column:
    """Declared -> tuned."""
    keys = (f"{name}_fixed", f"{name}_tuned")
    return Column(name, lambda row: f"{_short(row[keys[0]])} → {_short(row[keys[1]])}", keys, numeric=False)


def _setting(name: str) -> Column:
    return Column(name, lambda row: _short(row.get(name)), (name,), numeric=False)


def _short(value: Any) -> str:
    return "–" if missing(value) else f"{value:.3g}" if isinstance(value, float) else str(value)
