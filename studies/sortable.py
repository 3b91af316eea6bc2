"""Tables that a page can sort and filter: what a cell shows, what it sorts by, and the chips of a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from studies.design import Plan
from studies.markdown import number, span, speed
from studies.phrases import signed

MOST_TRIALS = 2_000


@dataclass(frozen=True)
class Value:
    """Text, and what it sorts by: a number, or the text itself."""

    text: str
    key: float | str | None = None
    verdict: bool = False


@dataclass(frozen=True)
class Row:
    """Cells, and the level of every chip group that this row has."""

    values: list[Value]
    levels: dict[str, str] = field(default_factory=dict)
    baseline: bool = False


@dataclass(frozen=True)
class SortableTable:
    """A table of a page; ``numeric`` says which columns are numbers."""

    name: str
    caption: str
    columns: list[str]
    numeric: list[bool]
    rows: list[Row]
    chips: dict[str, list[str]]


def arms(plan: Plan, cells: pd.DataFrame) -> SortableTable:
    """Every arm, the highest mean first."""
    columns = {
        "arm": False,
        "n": True,
        "failed": True,
        "test accuracy, %": True,
        "95 % interval": True,
        "sd, points": True,
        "validation, %": True,
        "training, s": True,
        "train, images/s": True,
        "inference, images/s": True,
        "tokens": True,
        "parameters": True,
        "MFLOPs": True,
    }
    if memory := bool(cells["gpu_memory_mib"].notna().any()):
        columns["GPU memory, MiB"] = True
    rows = [Row(_arm(cell, memory), _levels(plan, cell), bool(cell["baseline"])) for _, cell in cells.iterrows()]
    return SortableTable("arms", "Arms", list(columns), list(columns.values()), rows, _chips(plan))


def contrasts(frame: pd.DataFrame) -> SortableTable:
    """Every comparison; chips by what is compared and by verdict."""
    columns = ["comparison", "family", "difference, points", "95 % interval", "verdict", "n", "dropped", "P(a > b)"]
    columns += ["p", "p (Holm)", "detectable", "settling seeds"]
    numeric = [False, False, True, True, False, *[True] * 7]
    rows = [
        Row(_contrast(row), {"family": _kind(row), "verdict": str(row["verdict"])})
        for _, row in frame.sort_values("difference", ascending=False).iterrows()
    ]
    chips = {name: list(dict.fromkeys(row.levels[name] for row in rows)) for name in ("family", "verdict")}
    return SortableTable("contrasts", "Contrasts", columns, numeric, rows, chips)


def speeds(frame: pd.DataFrame) -> SortableTable:
    """Training throughput of every arm over the baseline's."""
    columns = ["arm", "speed over the baseline's", "95 % interval", "rounds", "p (Holm)", "verdict"]
    rows = [
        Row(
            [
                Value(str(row["a"])),
                _number(row["ratio"]),
                Value(
                    f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}" if pd.notna(row["low"]) else "–",
                    row["ratio_low"],
                ),
                _number(row["n"], 0),
                _p(row["p_holm"]),
                Value(str(row["verdict"]), verdict=True),
            ],
            {"verdict": str(row["verdict"])},
        )
        for _, row in frame.sort_values("ratio", ascending=False).iterrows()
    ]
    chips = {"verdict": list(dict.fromkeys(row.levels["verdict"] for row in rows))}
    return SortableTable("speeds", "Training speed", columns, [False, *[True] * 4, False], rows, chips)


def trials(plan: Plan, runs: pd.DataFrame) -> SortableTable:
    """Every trial, up to ``MOST_TRIALS`` of them: a page of more does not scroll any more; ``runs.csv`` has all."""
    columns = ["arm", "seed", "status", "test accuracy, %", "validation, %", "test loss", "train seconds"]
    numeric = [False, True, False, True, True, True, True]
    rows = [
        Row(
            [
                Value(str(row["cell"])),
                _number(row["seed"], 0),
                Value(str(row["status"])),
                _number(_scaled(row["test_accuracy"])),
                _number(_scaled(row["val_accuracy"])),
                _number(_scaled(row["test_loss"], 1), 4),
                _number(_scaled(row["train_seconds"], 1), 1),
            ],
            {**_levels(plan, row), "status": str(row["status"])},
            row["cell"] == plan.baseline,
        )
        for _, row in runs.head(MOST_TRIALS).iterrows()
    ]
    title = "Runs" if len(runs) <= MOST_TRIALS else f"Runs: the first {MOST_TRIALS:,} of {len(runs):,}, all in runs.csv"
    statuses = sorted(set(runs["status"]))
    chips = _chips(plan) | ({"status": statuses} if len(statuses) > 1 else {})
    return SortableTable("trials", title, columns, numeric, rows, chips)


def variance(table: pd.DataFrame) -> SortableTable:
    """The analysis of variance."""
    columns = ["term", "df", "share of variance, %", "ω², %", "F", "p", "p (Holm)"]
    rows = [
        Row(
            [
                Value(str(row["term"]).replace(":", " × ")),
                _number(row["df"], 0),
                _number(_scaled(row["eta2"]), 1),
                _number(_scaled(row["omega2"]), 1),
                _number(row["F"], 1),
                _p(row["p"]),
                _p(row["p_holm"]),
            ]
        )
        for _, row in table.iterrows()
    ]
    return SortableTable("variance", "Analysis of variance", columns, [False, *[True] * 6], rows, {})


def _arm(cell: pd.Series[Any], memory: bool) -> list[Value]:
    low, high = cell["test_accuracy_low"], cell["test_accuracy_high"]
    values = [
        Value(str(cell["cell"])),
        _number(cell["n"], 0),
        _number(cell["failed"], 0),
        _number(_scaled(cell["test_accuracy_mean"])),
        Value(span(low, high), None if pd.isna(low) else float(low)),
        _number(_scaled(cell["test_accuracy_sd"])),
        _number(_scaled(cell["val_accuracy_mean"])),
        _number(cell["train_seconds_mean"], 1),
        *(Value(speed(cell, kind), _key(cell[f"{kind}_images_per_second"])) for kind in ("train", "infer")),
        _number(cell["num_tokens"], 0),
        _number(cell["params"], 0),
        _number(_scaled(cell["flops"], 1e-6)),
    ]
    return [*values, _number(cell["gpu_memory_mib"], 1)] if memory else values


def _contrast(row: pd.Series[Any]) -> list[Value]:
    low, high = row["low"], row["high"]
    return [
        Value(f"{row['a']} − {row['b']}" if row["factor"] != "cell" else str(row["a"])),
        Value(_kind(row)),
        Value("–" if pd.isna(row["difference"]) else signed(row["difference"]), _key(row["difference"])),
        Value("–" if pd.isna(low) else f"{signed(low)} to {signed(high)}", _key(low)),
        Value(str(row["verdict"]), verdict=True),
        _number(row["n"], 0),
        _number(row["dropped"], 0),
        _number(row["p_superiority"]),
        _p(row["p"]),
        _p(row["p_holm"]),
        Value("–" if pd.isna(row["detectable"]) else _bounded(100 * row["detectable"], ".2f"), _key(row["detectable"])),
        Value(
            "–" if pd.isna(row["seeds_needed"]) else _bounded(row["seeds_needed"], ",.0f"), _key(row["seeds_needed"])
        ),
    ]


def _kind(row: pd.Series[Any]) -> str:
    return "vs baseline" if row["factor"] == "cell" else str(row["factor"])


def _levels(plan: Plan, row: pd.Series[Any]) -> dict[str, str]:
    return {name: str(row[name]) for name in plan.factors}


def _chips(plan: Plan) -> dict[str, list[str]]:
    factors: Mapping[str, Iterable[Any]] = plan.factors
    return {name: [str(level) for level in levels] for name, levels in factors.items()}


def _bounded(value: float, form: str) -> str:
    return "∞" if value == float("inf") else f"{value:{form}}"


def _scaled(value: Any, by: float = 100.0) -> float:
    return float("nan") if pd.isna(value) else by * float(value)


def _key(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _number(value: Any, digits: int = 2) -> Value:
    text = number(value, digits)
    return Value(text if text.strip("-0.") else text.removeprefix("-"), _key(value))


def _p(value: Any) -> Value:
    return Value("–" if pd.isna(value) else "< 0.001" if value < 0.001 else f"{value:.2g}", _key(value))
