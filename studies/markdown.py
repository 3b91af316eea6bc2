"""Tables as Markdown, for the README of a results folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd
from tabulate import tabulate

from studies.design import Plan


def arms_table(plan: Plan, cells: pd.DataFrame) -> str:
    """Every arm: accuracy with its interval, speed, size."""
    rows = []
    for _, cell in cells.iterrows():
        rows.append(
            {
                "arm": f"**{cell['cell']}** (baseline)" if cell["cell"] == plan.baseline else cell["cell"],
                "n": cell["n"],
                "test accuracy, %": number(100 * cell["test_accuracy_mean"]),
                "95 % interval": span(cell["test_accuracy_low"], cell["test_accuracy_high"]),
                "sd": number(100 * cell["test_accuracy_sd"]),
                "validation, %": number(100 * cell["val_accuracy_mean"]),
                "training, s": number(cell["train_seconds_mean"], 1),
                "train, images/s": speed(cell, "train"),
                "inference, images/s": speed(cell, "infer"),
                "tokens": number(cell["num_tokens"], 0),
                "parameters": number(cell["params"], 0),
                "MFLOPs": number((cell["flops"] or float("nan")) / 1e6),
                "GPU memory, MiB": number(cell["gpu_memory_mib"], 1),
            }
        )
    return markdown(pd.DataFrame(rows))


def effects_table(effects: pd.DataFrame) -> str:
    """What each level changes against the baseline's level."""
    return markdown(
        pd.DataFrame(
            {
                "factor": row["factor"],
                "level": row["a"],
                "against": row["b"],
                **_differences(row),
            }
            for _, row in effects.iterrows()
        )
    )


def contrasts_table(contrasts: pd.DataFrame) -> str:
    """Every arm against the baseline."""
    ordered = contrasts.sort_values("difference", ascending=False)
    return markdown(pd.DataFrame({"arm": row["a"], **_differences(row)} for _, row in ordered.iterrows()))


def failures_table(runs: pd.DataFrame, cells: pd.DataFrame) -> str:
    """Failed trials with their reasons, and cells that cannot be."""
    failed = runs[runs["status"] == "failed"]
    rows = [{"arm": row["cell"], "seed": row["seed"], "reason": row["reason"]} for _, row in failed.iterrows()]
    rows += [
        {"arm": cell["cell"], "seed": "all", "reason": f"cannot be: {cell['unsupported']}"}
        for _, cell in cells.iterrows()
        if pd.notna(cell["unsupported"])
    ]
    return markdown(pd.DataFrame(rows)) if rows else "None."


def fixed_table(plan: Plan) -> str:
    """Fields of model and recipe that no factor varies."""
    return key_values(fixed_facts(plan))


def fixed_facts(plan: Plan) -> dict[str, Any]:
    """Fields of model and recipe that no factor varies."""
    base = next(cell for cell in plan.cells if cell.name == plan.baseline)
    assert base.config is not None
    fields = {**dataclasses.asdict(base.config), **dataclasses.asdict(base.recipe)}
    return {name: value for name, value in fields.items() if name not in plan.factors}


def key_values(facts: Mapping[str, Any]) -> str:
    """One line a fact."""
    return "\n".join(f"- {name.replace('_', ' ')}: {value}" for name, value in facts.items())


def markdown(frame: pd.DataFrame) -> str:
    """A pipe table; numbers are formatted already."""
    text: str = tabulate(frame.astype(str).to_dict("list"), headers="keys", tablefmt="github", disable_numparse=True)
    return text


def number(value: Any, digits: int = 2) -> str:
    """With thousands separated; a missing value is a dash."""
    return "–" if pd.isna(value) else f"{value:,.{digits}f}"


def span(low: float, high: float) -> str:
    """Two fractions as a range in percent."""
    return "–" if pd.isna(low) else f"{100 * low:.2f} to {100 * high:.2f}"


def speed(cell: pd.Series[Any], kind: str) -> str:
    """Median and interquartile range."""
    median, spread = cell[f"{kind}_images_per_second"], cell[f"{kind}_images_per_second_iqr"]
    return "–" if pd.isna(median) else f"{median:,.0f} ± {spread:,.0f}"


def _differences(row: pd.Series[Any]) -> dict[str, str]:
    low, high = 100 * row["low"], 100 * row["high"]
    return {
        "difference, points": "–" if pd.isna(row["difference"]) else f"{100 * row['difference']:+.2f}",
        "95 % interval": "–" if pd.isna(low) else f"{low:+.2f} to {high:+.2f}",
        "n": str(row["n"]),
        "p (Holm)": "–" if pd.isna(row["p_holm"]) else f"{row['p_holm']:.2g}",
        "verdict": row["verdict"],
    }
