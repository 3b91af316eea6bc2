"""What a study would cost that runs until its arms are decided."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from studies.design.plan import Plan
from studies.findings.published import published_folder
from studies.findings.saved import read_table
from studies.findings.words import duration, hundredths, plural
from studies.ledger.folder import ResultsFolder
from studies.statistics.looks import LOOKS, expected
from studies.statistics.power import detectable_difference

ASSUMED_DIFFERENCES = (0.0, 0.005)
ASSUMED_SD = 0.002
ONE_ARM = "one arm: there is nothing to compare it with"


def planned_looks(max_seeds: int) -> list[int]:
    """Numbers of seeds at which the study is looked at, the last one included."""
    return [*(n for n in LOOKS if n < max_seeds), max_seeds]


def expected_looks(
    plan: Plan, results: Path, looks: Sequence[int], seconds: float, measuring: float, arms: int
) -> Iterator[str]:
    """Lines: trials and decisions by look, from the differences of an earlier run, else from a stated assumption.

    Args:
        plan: of the study.
        results: the folder of all results.
        looks: numbers of seeds.
        seconds: wall time of one trial, other workers taken into account.
        measuring: seconds before anything trains.
        arms: how many, those included that a search will find.
    """
    if arms < 2:
        yield ONE_ARM
        return
    known = known_differences(plan, results)
    if known is None or len(known[0]) < arms:  # nothing is known of arms that a search will find
        differences, sd, source = assumed(arms)
    else:
        differences, sd, source = known[0], known[1], f"were the differences of {known[2]} the truth"
    yield f"until decided, at most {looks[-1]} seeds, {source}:"
    for seeds, trials, decided in expected(differences, sd, looks, margin=plan.compares.margin):
        wall = duration(measuring + trials * seconds)
        yield (
            f"  look at {seeds} seeds: {decided:.0f} of {arms - 1} arms decided after {trials:.0f} trials, about {wall}"
        )


@dataclass(frozen=True)
class Foreseen:
    """What a number of seeds could detect with 80 % probability, at the level of Holm's first step.

    Args:
        seeds: per arm.
        comparisons: of arms with the baseline.
        sd: spread of an arm between seeds, a fraction; every arm's the same.
        source: where it is known from.
        margin: below which differences do not matter.
        alpha: for all comparisons together.
    """

    seeds: int
    comparisons: int
    sd: float
    source: str
    margin: float
    alpha: float

    @property
    def detectable(self) -> float:
        """The smallest true difference that is found; NaN for one seed."""
        return self._detectable(self.seeds)

    @property
    def seeds_for_margin(self) -> float:
        """The fewest seeds that find a difference as large as the margin; infinite beyond 1,000."""
        enough = (n for n in range(2, 1001) if self._detectable(n) <= self.margin)
        return next(enough, math.inf)

    def lines(self) -> list[str]:
        """For people."""
        if self.comparisons == 0:
            return [ONE_ARM]
        compared = f"{plural(self.comparisons, 'comparison')}, {self.source}"
        enough = self.seeds_for_margin
        needed = "more than 1,000 seeds" if math.isinf(enough) else plural(enough, "seed")
        rest = f"{hundredths(self.margin)} points would take {needed}"
        if math.isnan(self.detectable):
            return [f"one seed detects nothing: it says nothing of the spread between seeds; {rest} ({compared})"]
        found = f"{plural(self.seeds, 'seed')} would show a difference of {hundredths(self.detectable)} points"
        return [f"{found} with 80 % probability, {rest} ({compared})"]

    def facts(self) -> dict[str, Any]:
        """Plain data; None for what is not known."""
        found, enough = self.detectable, self.seeds_for_margin
        return {
            "comparisons": self.comparisons,
            "detectable": None if math.isnan(found) else found,
            "seeds_for_margin": None if math.isinf(enough) else enough,
            "margin": self.margin,
            "spread": self.sd,
            "spread_from": self.source,
        }

    def _detectable(self, seeds: int) -> float:
        if seeds < 2 or self.comparisons == 0:
            return math.nan
        df = (self.comparisons + 1) * (seeds - 1)  # all arms tell of one spread
        return detectable_difference(self.sd * math.sqrt(2 / seeds), df, self.alpha / self.comparisons)


def foreseen(plan: Plan, results: Path, more: int = 0) -> Foreseen:
    """What the seeds of a plan could detect: by the spread of an earlier run of its arms, else by an assumed one.

    Args:
        plan: of the study.
        results: the folder of all results.
        more: arms that a search will add.
    """
    known = known_differences(plan, results)
    arms = len(plan.runnable) - 1 + more
    if known is None:
        sd, source = ASSUMED_SD, f"if seeds have a spread of {hundredths(ASSUMED_SD)} points"
    else:
        sd = float(np.sqrt(np.mean(known[1] ** 2)))
        source = f"by the spread of {hundredths(sd)} points between seeds in {known[2]}"
    return Foreseen(len(plan.seeds), arms, sd, source, plan.compares.margin, plan.compares.alpha)


def known_differences(plan: Plan, results: Path) -> tuple[np.ndarray, np.ndarray, Path] | None:
    """Differences from the baseline and sd of every arm, the baseline first, and the folder whose runs say so."""
    for place in (results / plan.folder, published_folder(results, plan.folder)):
        if place is None or not ResultsFolder(place).holds_results:
            continue
        runs = read_table(place, "runs")
        found = _arms(plan, runs[runs["status"] == "complete"])
        if found is not None:
            return *found, place
    return None


def assumed(arms: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Every second arm equal to the baseline, the others half a point away."""
    differences = np.resize(ASSUMED_DIFFERENCES, arms)
    words = "if half of the arms were 0.5 points away, the others equal, and seeds had a spread of 0.2 points"
    return differences, np.full(arms, ASSUMED_SD), words


def _arms(plan: Plan, runs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    metric, by_hash = plan.compares.metric, runs.groupby("config_hash")
    cells = [plan.baseline_cell, *(cell for cell in plan.runnable if cell.name != plan.baseline)]
    hashes = [cell.content_hash for cell in cells]
    if not set(hashes) <= set(by_hash.groups) or by_hash.size()[hashes].min() < 2:
        return None
    means, spread = by_hash[metric].mean()[hashes].to_numpy(), by_hash[metric].std()[hashes].to_numpy()
    return means - means[0], spread
