"""Did a kept baseline get slower? Compares what survives a change of weather between two runs.

Absolute times of two runs on a busy machine do not compare, so each is taken in units of a reference task
that was timed in the same rounds. A row is slower when that time rose by more than the threshold and the
99.9 % interval of the change lies above 1 (hundreds of rows are compared, so one in twenty would never do);
or when its ratio to the manual backend did, and the time in units of the reference rose by more than the
threshold too (else only the manual backend got faster).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.rows import Row
from bench.tables import read_csv
from bench.timing import Ratio

THRESHOLD = 1.2
WIDER = 2.0
"""From a 95 % to a 99.9 % interval: t at 14 degrees of freedom, 4.14 over 2.14, rounded up."""

Baseline = dict[str, dict[str, Ratio]]
"""By key of a row: its ``ratio`` and its ``relative``."""


def load_baseline(path: Path, machine: str) -> Baseline:
    """Read a kept ``chunking.csv`` that was measured on ``machine``.

    Raises:
        ValueError: it cannot be read as one, or comes from another machine; the message says what to do.
    """
    try:
        rows = read_csv(path)
        found = {row["key"]: {name: _ratio(row, name) for name in ("ratio", "relative")} for row in rows}
        machines = {row["machine"] for row in rows}
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"no baseline in {path} ({error!r}); make one with: nox -s bench") from None
    if machines != {machine}:
        origin = ", ".join(sorted(machines)) or "nowhere (it is empty)"
        raise ValueError(f"{path} comes from {origin}, this is {machine}; make one here with: nox -s bench")
    return found


def slowdowns(rows: Iterable[Row], baseline: Baseline, threshold: float = THRESHOLD) -> dict[str, str]:
    """What got slower, in words, by key of the row; rows that the baseline lacks are passed over."""
    found = {row.key: slowdown(row, baseline[row.key], threshold) for row in rows if row.key in baseline}
    return {key: why for key, why in found.items() if why is not None}


def change(now: Ratio, before: Ratio) -> Ratio:
    """``now / before`` of two independent ratios, with the 99.9 % interval of both 95 % intervals combined."""
    shift = math.log(now.ratio) - math.log(before.ratio)
    half = WIDER * math.hypot(_half(now), _half(before))
    return Ratio(math.exp(shift), math.exp(shift - half), math.exp(shift + half))


def slowdown(now: Row, before: Mapping[str, Ratio], threshold: float = THRESHOLD) -> str | None:
    """What got slower, in words, or None.

    Args:
        now: a row of this run.
        before: the same row of the baseline.
        threshold: factor from which a change counts.
    """
    time, pair = change(now.relative, before["relative"]), change(now.ratio, before["ratio"])
    if time.ratio <= threshold:
        return None
    if time.low > 1.0:
        return f"{now.key}: {_words(time)} the baseline's time, in units of the reference task"
    if pair.ratio > threshold and pair.low > 1.0:
        return f"{now.key}: {_words(pair)} the baseline's ratio to the manual backend"
    return None


def _words(ratio: Ratio) -> str:
    return f"{ratio.ratio:.2f}x ({ratio.low:.2f} to {ratio.high:.2f})"


def _half(ratio: Ratio) -> float:
    return (math.log(ratio.high) - math.log(ratio.low)) / 2


def _ratio(row: Mapping[str, str], name: str) -> Ratio:
    return Ratio(float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))
