"""`judge`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.text import Text

from studies.cli.console import WORSE, UsageError, err, out
from studies.findings.columns import Column
from studies.findings.foreign import find_columns, read_runs
from studies.findings.refereed import Voice, columns_of, family_sentence, margin_sentence, sentences
from studies.report.export import FORMATS
from studies.report.markdown import escaped, prose
from studies.statistics.refereeing import Judgement, judge
from studies.statistics.scales import FRACTION, scale_of
from studies.statistics.screening import Wanted, screened

UNJUDGED = 4
FEWEST = 2


@dataclass(frozen=True)
class Referee:
    """What `judge` was asked, as typed."""

    arm: str | None
    metric: str | None
    seed: str | None
    baseline: str | None
    factors: tuple[str, ...]
    dataset: str | None
    lower_is_better: bool
    margin: float | None
    alpha: float


@dataclass(frozen=True)
class Verdicts:
    """What is to be printed: the comparisons, how they are said, and what stands below them."""

    frame: Judgement
    voice: Voice
    caption: str
    sentences: list[str]
    notes: list[str]


def print_verdicts(path: Path, referee: Referee, form: str, fail_if_worse: bool) -> None:
    """The table, what it says, and what was left out; the exit code where it is asked for."""
    if fail_if_worse and referee.baseline is None:
        raise UsageError("--fail-if-worse needs a --baseline: of two arms without one, one is always the worse")
    found = verdicts(path, referee)
    out.print(written(found, form), soft_wrap=True, end="")
    if form not in ("md", "json"):
        for note in found.notes:
            err.print(Text(note), soft_wrap=True)
    if fail_if_worse and (found.frame["verdict"] == "worse").any():
        raise typer.Exit(WORSE)
    if fail_if_worse and (found.frame["n"] < FEWEST).all():
        raise typer.Exit(UNJUDGED)


def verdicts(path: Path, referee: Referee) -> Verdicts:
    """Read, judge and say."""
    runs = read_runs(path)
    asked = referee
    wanted = find_columns(runs, asked.arm, asked.metric, asked.seed, asked.dataset, asked.factors)
    kept = screened(runs, wanted).runs
    scale = scale_of(wanted.metric, kept["value"], not asked.lower_is_better)
    margin = asked.margin if asked.margin is None or scale is not FRACTION else asked.margin / scale.times
    frame = judge(
        runs,
        wanted.arm,
        wanted.metric,
        wanted.seed,
        asked.baseline,
        wanted.dataset,
        margin,
        wanted.factors,
        not asked.lower_is_better,
        asked.alpha,
    )
    voice = Voice(scale, asked.alpha)
    notes = [
        margin_sentence(wanted.metric, voice, float(frame["margin"].iloc[0]), asked.margin is not None),
        *family_sentence(frame, voice),
        *frame.attrs["notes"],
    ]
    return Verdicts(frame, voice, _caption(wanted, asked), sentences(frame, voice, asked.baseline is None), notes)


def written(found: Verdicts, form: str) -> str:
    """The whole output; formats that other programs read hold nothing but the table."""
    if form == "json":
        rows = json.loads(found.frame.to_json(orient="records"))
        whole = {"caption": found.caption, "comparisons": rows, "sentences": found.sentences, "notes": found.notes}
        return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"
    if form == "csv":
        return FORMATS["csv"](
            found.frame, [Column(name, str, (name,)) for name in map(str, found.frame)], found.caption
        )
    caption = escaped(found.caption) if form == "md" else found.caption
    table = FORMATS[form](found.frame, columns_of(found.frame, found.voice), caption)
    if form != "md":
        return table
    said = [f"- {prose(line)}" for line in found.sentences]
    return "\n".join([table, *said, "", *map(escaped, found.notes), ""])


def _caption(wanted: Wanted, asked: Referee) -> str:
    """Which columns were read."""
    arms = wanted.arm or ", ".join(wanted.factors)
    against = "every pair" if asked.baseline is None else f"against {asked.baseline}"
    pairs = f"paired by {wanted.seed}" if wanted.seed else "no seeds"
    data = f", by {wanted.dataset}" if wanted.dataset else ""
    better = "lower" if asked.lower_is_better else "higher"
    return f"{wanted.metric} ({better} is better) by {arms}, {against}, {pairs}{data}"
