"""Every column of a result table, defined once: what it is called, what it says, and which values it says it from.

Markdown, HTML, LaTeX, CSV and the terminal show the same columns; a table is a choice of them by name.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from studies.findings.column import Column, Row, pick, plain, records, texts
from studies.findings.words import MISSING, hundredths, number, p_number, signed, span, spread

__all__ = ["Column", "Row", "pick", "plain", "records", "texts"]


def _words(heading: str, name: str) -> Column:
    return Column(heading, lambda row: MISSING if pd.isna(row[name]) else str(row[name]), (name,), numeric=False)


def _number(heading: str, name: str, digits: int = 2, times: float = 1.0, short: str = "") -> Column:
    return Column(heading, lambda row: number(row[name], digits, times), (name,), short=short)


def _count(heading: str, name: str, short: str = "") -> Column:
    return _number(heading, name, 0, short=short)


def _share(heading: str, name: str, short: str = "") -> Column:
    return _digits(heading, lambda row, digits: hundredths(row[name], digits), (name,), short=short)


def _digits(heading: str, at: Callable[[Row, int], str], keys: tuple[str, ...], short: str = "") -> Column:
    """Two digits unless others are asked for."""
    return Column(heading, lambda row: at(row, 2), keys, short=short, at=at)


def _accuracy(row: Row, digits: int) -> str:
    """Mean and standard deviation."""
    mean, sd = row["test_accuracy_mean"], row["test_accuracy_sd"]
    return hundredths(mean, digits) + ("" if pd.isna(sd) else f" ± {hundredths(sd, digits)}")


def _p(heading: str, name: str) -> Column:
    return Column(heading, lambda row: p_number(row[name]), (name,))


def _interval(low: str, high: str, say: Callable[[float | None, int], str]) -> Column:
    return _digits(
        "95 % interval",
        lambda row, digits: span(row[low], row[high], lambda value: say(value, digits)),
        (low, high),
    )


def _speed(heading: str, kind: str) -> Column:
    median, iqr = f"{kind}_images_per_second", f"{kind}_images_per_second_iqr"
    return Column(heading, lambda row: spread(row[median], row[iqr]), (median, iqr))


ARMS = {
    "cell": _words("arm", "cell"),
    "n": _count("n", "n"),
    "failed": _count("failed", "failed"),
    "test_accuracy_mean": _share("test accuracy, %", "test_accuracy_mean", "test %"),
    "accuracy": _digits("test accuracy, %", _accuracy, ("test_accuracy_mean", "test_accuracy_sd")),
    "interval": _interval("test_accuracy_low", "test_accuracy_high", hundredths),
    "test_balanced_accuracy_mean": _share("balanced accuracy, %", "test_balanced_accuracy_mean", "balanced %"),
    "test_accuracy_sd": _share("sd, points", "test_accuracy_sd"),
    "val_accuracy_mean": _share("validation, %", "val_accuracy_mean"),
    "train_seconds_mean": _number("training, s", "train_seconds_mean", 1),
    "train_speed": _speed("train, images/s", "train"),
    "infer_speed": _speed("inference, images/s", "infer"),
    "train_images_per_second": _count("train, images/s", "train_images_per_second", "train img/s"),
    "infer_images_per_second": _count("inference, images/s", "infer_images_per_second", "infer img/s"),
    "num_tokens": _count("tokens", "num_tokens"),
    "params": _count("parameters", "params", "params"),
    "flops": _number("MFLOPs", "flops", times=1e-6),
    "gpu_memory_mib": _number("GPU memory, MiB", "gpu_memory_mib", 1),
    "verdict": _words("verdict", "verdict"),
}
"""Of `tables.cells_frame`."""

REPORTED = tuple(
    name for name in ARMS if not name.endswith("images_per_second") and name not in ("accuracy", "verdict")
)
"""Those that a report shows of every arm; a speed there has its spread beside it."""


def reported(cells: pd.DataFrame) -> list[str]:
    """Those of ``REPORTED`` that these arms have: balanced accuracy only where classes are unequal."""
    return [name for name in REPORTED if name != "test_balanced_accuracy_mean" or name in cells]


TRIALS = {
    "cell": _words("arm", "cell"),
    "seed": _count("seed", "seed"),
    "status": _words("status", "status"),
    "test_accuracy": _share("test accuracy, %", "test_accuracy"),
    "val_accuracy": _share("validation, %", "val_accuracy"),
    "test_loss": _number("test loss", "test_loss", 4),
    "train_seconds": _number("training, s", "train_seconds", 1),
    "reason": _words("reason", "reason"),
}
"""Of `tables.runs_frame`."""

CONTRASTS = {
    "factor": _words("factor", "factor"),
    "a": _words("level", "a"),
    "b": _words("against", "b"),
    "arm": _words("arm", "a"),
    "comparison": Column("comparison", lambda row: _pair(row), ("a", "b", "factor", "setting"), numeric=False),
    "family": Column("family", lambda row: family(row), ("factor", "setting"), numeric=False),
    "n": _count("n", "n"),
    "dropped": _count("dropped", "dropped"),
    "difference": _digits("difference, points", lambda row, digits: signed(row["difference"], digits), ("difference",)),
    "interval": _interval("low", "high", signed),
    "p_superiority": _number("P(a > b)", "p_superiority"),
    "p": _p("p", "p"),
    "p_holm": _p("p (Holm)", "p_holm"),
    "detectable": Column("detectable, points", lambda row: _finite(row["detectable"]), ("detectable",)),
    "seeds_needed": _count("settling seeds", "seeds_needed"),
    "verdict": _words("verdict", "verdict"),
    "verdict_images": _words("for new images", "verdict_images"),
    "interval_images": Column(
        "95 % interval, new images",
        lambda row: span(row["low_images"], row["high_images"], signed),
        ("low_images", "high_images"),
    ),
    "setting": _words("setting", "setting"),
}
"""Of `effects.contrasts_frame`; also of `comparison.Comparison.arms`, as far as it has them."""

EFFECTS = {
    **{name: CONTRASTS[name] for name in ("factor", "a", "b", "difference", "interval", "n", "p_holm", "verdict")},
    "elsewhere": Column(
        "in other settings, points", lambda row: span(row["smallest"], row["largest"], signed), ("largest", "smallest")
    ),
    "average": Column("on average, points", lambda row: _average(row), ("average", "average_low", "average_high")),
    "average_verdict": _words("on average", "average_verdict"),
}
"""Of `effects.effects_frame`: each change with all else at the baseline, then what it does elsewhere."""

SPEEDS = {
    "arm": _words("arm", "a"),
    "ratio": _number("speed over the baseline's", "ratio"),
    "interval": _interval("ratio_low", "ratio_high", number),
    "n": _count("rounds", "n"),
    "p_holm": CONTRASTS["p_holm"],
    "verdict": CONTRASTS["verdict"],
}
"""Of `costs.speed_contrasts`."""

TERMS = {
    "term": Column("term", lambda row: str(row["term"]).replace(":", " × "), ("term",), numeric=False),
    "df": _count("df", "df"),
    "eta2": _number("share of variance, %", "eta2", 1, 100),
    "omega2": _number("ω², %", "omega2", 1, 100),
    "F": _number("F", "F", 1),
    "p": _p("p", "p"),
    "p_holm": _p("p (Holm)", "p_holm"),
}
"""Of `variance.variance_table`."""

CHANGES = {
    "arm": _words("arm", "arm"),
    **{name: CONTRASTS[name] for name in ("n", "difference", "interval")},
    "verdict": Column("verdict", lambda row: _changed(row), ("verdict",), numeric=False),
    "training": Column("training", lambda row: _times(row, "train"), ("train_images_per_second_ratio",)),
    "inference": Column("inference", lambda row: _times(row, "infer"), ("infer_images_per_second_ratio",)),
}
"""Of `comparison.Comparison.arms`: B against A."""


def family(row: Row) -> str:
    """What a contrast belongs to: the arms against the baseline, or the levels of a factor, one way or the other."""
    if row["factor"] == "cell":
        return "vs baseline"
    return f"{row['factor']}, on average" if _unset(row) else f"{row['factor']}, each setting"


def _finite(share: float) -> str:
    """In points; what no difference of accuracies would do is no number."""
    return MISSING if pd.isna(share) or share >= 1 else hundredths(share)


def _pair(row: Row) -> str:
    if row["factor"] == "cell":
        return str(row["a"])
    return f"{row['a']} − {row['b']}" + ("" if _unset(row) else f" ({row['setting']})")


def _unset(row: Row) -> bool:
    """Whether a contrast is an average over settings; from a file its setting comes back as missing."""
    return bool(pd.isna(row["setting"])) or row["setting"] == ""


def _average(row: Row) -> str:
    """With its interval, and a warning where the average is nobody's effect."""
    if pd.isna(row["average"]):
        return MISSING
    warning = " (misleads: it depends)" if row["interacts"] else ""
    return f"{signed(row['average'])} ({span(row['average_low'], row['average_high'], signed)}){warning}"


def _changed(row: Row) -> str:
    return "identical" if row.get("equal") is True else CONTRASTS["verdict"].text(row)


def _times(row: Row, kind: str) -> str:
    ratio = row.get(f"{kind}_images_per_second_ratio")
    return MISSING if pd.isna(ratio) else f"{number(ratio)}x"
