"""Published results: where they lie, and how a new run of the same study compares with them."""

from __future__ import annotations

import math
from pathlib import Path

from studies.findings.comparison import Comparison, compare_results
from studies.findings.saved import ExportError
from studies.findings.words import plural, signed
from studies.ledger.folder import ResultsFolder
from studies.statistics.verdicts import Contrast
from studies.trial.provenance import REPOSITORY

PUBLISHED = "published"
DECIDE_BITS = ("cpu", "gpu", "device", "threads", "dtype", "torch", "python", "vit_ablate", "commit", "dirty")
"""Facts of which a difference may change the outcome of a trial."""

MOST_NAMED = 3


def published_folder(results: Path, name: str) -> Path | None:
    """The published results called ``name``: under ``results``, or of the checkout that this code runs from."""
    places = [root / PUBLISHED / name for root in (results, REPOSITORY / "results")]
    return next((place for place in places if ResultsFolder(place).holds_results), None)


def as_published(folder: Path) -> str | None:
    """How a results folder compares with the published one of its name, in sentences; None where there is none."""
    published = published_folder(folder.parent, folder.name)
    if published is None or published.resolve() == folder.resolve():
        return None
    try:
        return in_sentences(compare_results(published, folder))
    except ExportError as error:
        return f"Not compared with what was published: {error}."


def in_sentences(found: Comparison) -> str:
    """What a comparison of published results (A) with a new run (B) comes to."""
    if found.redeclared:
        arms = plural(len(found.redeclared), "arm")
        return f"Not compared with what was published: {arms} of {len(found.arms)} were declared otherwise then."
    if not found.trials:
        return "Not compared with what was published: no trial is complete in both."
    if found.equal == found.trials:
        said = [
            f"As published, equal bit for bit: {plural(found.trials, 'trial')} of {plural(len(found.arms), 'arm')}."
        ]
    else:
        said = [f"{_verdict(found)}: {_size(found)}.", _why(found)]
    return " ".join([*said, *_missing(found), _speed(found)])


def _verdict(found: Comparison) -> str:
    """The one place that turns verdicts on accuracy into words."""
    arms = found.arms[found.arms["verdict"].isin(["better", "worse"])]
    if len(arms):
        named = [f"`{arm}` {verdict}" for arm, verdict in zip(arms["arm"], arms["verdict"], strict=True)]
        more = [f"and {len(named) - MOST_NAMED} more"] if len(named) > MOST_NAMED else []
        return f"Not as published ({', '.join([*named[:MOST_NAMED], *more])})"
    if found.accuracy.verdict in ("better", "worse"):
        return f"Not as published (over all arms {found.accuracy.verdict})"
    if found.accuracy.verdict == "equivalent":
        return "As published within noise"
    return "Neither shown to be as published nor to differ"


def _size(found: Comparison) -> str:
    """The mean difference over the arms, and the largest of one arm; differences are new - published."""
    arms, over = found.arms.set_index("arm"), found.accuracy
    n = "n = " + " to ".join(str(count) for count in sorted({int(arms["n"].min()), int(arms["n"].max())}))
    largest = str(arms["difference"].abs().idxmax())
    interval = "" if math.isnan(over.low) else f" (95 % interval {signed(over.low)} to {signed(over.high)})"
    return (
        f"over {plural(len(arms), 'arm')} ({n}) test accuracy differs by {signed(over.difference)} points{interval}, "
        f"at most by {signed(arms['difference'][largest])} points (`{largest}`)"
    )


def _why(found: Comparison) -> str:
    """How many trials have other bits, and which facts may be why."""
    bits = f"Bits differ in {found.trials - found.equal} of {plural(found.trials, 'trial')}"
    facts = [(name, *found.changed[name]) for name in DECIDE_BITS if name in found.changed]
    if not facts:
        return f"{bits}, although processor, versions and commit are called the same."
    return f"{bits}; what differs: {', '.join(f'{name} ({a} published, {b} here)' for name, a, b in facts)}."


def _missing(found: Comparison) -> list[str]:
    """Arms and trials that only one of the two has."""
    arms = [f"Only in one of the two: {', '.join(found.only)}."] if found.only else []
    return [*arms, f"{plural(found.unpaired, 'trial')} had no counterpart."] if found.unpaired else arms


def _speed(found: Comparison) -> str:
    """Speeds over all arms, on equal hardware only."""
    if found.speed is None:
        return "Speeds are not compared: the hardware differs."
    kinds = {kind.split("_")[0]: judged for kind, judged in found.speed.items() if judged.n}
    said = ", ".join(f"{kind} {_change(judged)}" for kind, judged in kinds.items())
    return f"Speed over all arms: {said}." if said else "Speeds were not measured."


def _change(judged: Contrast) -> str:
    return f"{100 * math.expm1(judged.difference):+.1f} % ({judged.verdict})".replace("-", "−", 1)
