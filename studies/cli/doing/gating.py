"""The end of `compare`: whether B may take A's place, told to people, to a CI system and to the shell."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import typer

from bench.files import write
from studies.cli.console import UNDECIDED, WORSE, UsageError, say
from studies.cli.tables import comparison_lines
from studies.findings.comparison import Comparison
from studies.findings.gate import Gate, Outcome, gate
from studies.report.gate_files import junit, summary

SUMMARY = "GITHUB_STEP_SUMMARY"
CODES: dict[Outcome, int] = {"passed": 0, "failed": WORSE, "cannot judge": UNDECIDED}


@dataclass(frozen=True)
class Wanted:
    """What was asked for.

    Args:
        max_drop: points of accuracy, as typed; None for no limit.
        junit: a file to write.
        github: whether a job's summary is wanted.
        as_json: print one object instead of lines.
    """

    max_drop: float | None = None
    junit: Path | None = None
    github: bool = False
    as_json: bool = False


def judge_change(found: Comparison, title: str, wanted: Wanted) -> None:
    """Say it everywhere it was asked for, and end with the exit code.

    Raises:
        UsageError: a summary is wanted where no GitHub job runs.
    """
    judged = gate(found, None if wanted.max_drop is None else wanted.max_drop / 100)
    if wanted.junit:
        text = junit(judged, title)
        wanted.junit.parent.mkdir(parents=True, exist_ok=True)
        write(wanted.junit.parent, wanted.junit.name, lambda path: path.write_text(text, encoding="utf-8"))
    if wanted.github:
        _summarise(summary(judged, title, list(comparison_lines(found))))
    if wanted.as_json:
        print(json.dumps(_facts(found, judged, title), ensure_ascii=False, indent=1))
    else:
        for line in _lines(judged, wanted.max_drop):
            say(line)
    worse = wanted.max_drop is None and found.worse
    if exit_code := WORSE if worse else CODES[judged.outcome]:
        raise typer.Exit(exit_code)


def _facts(found: Comparison, judged: Gate, title: str) -> dict[str, object]:
    """Plain data: the lines that people read, and of every arm the numbers and what the gate says."""
    arms = json.loads(found.arms.to_json(orient="records", double_precision=15))
    gated = {one.arm: {"outcome": one.outcome, "why": one.why} for one in judged.checked}
    facts = {"comparison": title, "outcome": judged.outcome, "identical": found.identical, "worse": found.worse}
    counts = {"trials": found.trials, "equal": found.equal, "unpaired": found.unpaired, "only": found.only}
    return {**facts, **counts, "lines": list(comparison_lines(found)), "arms": arms, "checked": gated}


def _summarise(text: str) -> None:
    if not (place := os.environ.get(SUMMARY)):
        raise UsageError(f"--github: {SUMMARY} is not set; it is where a step of a GitHub workflow writes its summary")
    with Path(place).open("a", encoding="utf-8") as file:
        file.write(text)


def _lines(judged: Gate, max_drop: float | None) -> list[str]:
    """What was decided, and every arm that did not pass; without a limit only what could not be judged."""
    if max_drop is None:
        return [f"cannot judge {one.arm}: {one.why}" for one in judged.those("cannot judge")]
    shown = [one for one in judged.checked if one.outcome != "passed"]
    return [
        f"at most {max_drop:g} points lost: {judged.outcome} "
        f"({len(judged.those('passed'))} of {len(judged.checked)} arms passed)",
        *(f"  {one.outcome}: {one.arm} {one.why}" for one in shown),
    ]
