"""What changed between two runs of a study: another commit, machine or recipe."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from studies.findings.saved import ExportError, mended, read_table
from studies.ledger.folder import ResultsFolder
from studies.statistics.judging import Pair, judge_pairs
from studies.statistics.question import ACCURACY
from studies.statistics.ratios import log_ratio_contrast
from studies.statistics.verdicts import Contrast, contrast

HARDWARE = ("cpu", "cores", "gpu")
SPEEDS = ("train_images_per_second", "infer_images_per_second")
OUTCOMES = ("test_accuracy", "val_accuracy", "test_loss", "val_loss", "train_loss")
SPEED_MARGIN = 0.05  # two measurements of one program on one machine differ by so much


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side. Differences are B - A; ``speed`` is None across different hardware.

    Args:
        changed: facts that differ: name -> (A, B).
        arms: one row per arm of both: n, difference in test accuracy, interval, verdict, whether all its trials
            are equal bit for bit, speed ratios.
        accuracy: over all arms, one arm a pair.
        speed: by kind, the logarithm of B / A over all arms, one arm a pair.
        only: arms that one of the two lacks.
        redeclared: arms of both whose content hash differs: the same name, another model or recipe.
        trials: arms and seeds that are complete in both.
        equal: of these, how many have the same outcomes, bit for bit.
        unpaired: trials of these arms that are complete in one of the two only.
        lost: arms of A that B lacks.
        judged: of every arm of ``arms`` what is known of B - A.
        before: test accuracies of A, seeds by arms of both.
        after: of B.
    """

    changed: dict[str, tuple[Any, Any]]
    arms: pd.DataFrame
    accuracy: Contrast
    speed: dict[str, Contrast] | None
    only: list[str]
    redeclared: list[str]
    trials: int
    equal: int
    unpaired: int
    lost: list[str]
    judged: list[Contrast]
    before: pd.DataFrame
    after: pd.DataFrame

    def judged_against(self, limit: float) -> list[Contrast]:
        """Every arm once more, against a drop of ``limit`` instead of none: B, raised by it, against A."""
        return _judged(self.before, self.after + limit)

    @property
    def worse(self) -> bool:
        """Whether any accuracy or speed got significantly worse."""
        speeds = [] if self.speed is None else list(self.speed.values())
        verdicts = [self.accuracy.verdict, *self.arms["verdict"], *(found.verdict for found in speeds)]
        return "worse" in verdicts

    @property
    def identical(self) -> bool:
        """Whether the two are one run: the same facts, arms, trials, bits and speeds."""
        ratios = self.arms.filter(like="_ratio")
        differing = self.changed or self.only or self.redeclared or self.unpaired or self.equal < self.trials
        return bool(self.trials) and not differing and bool((ratios.isna() | (ratios == 1)).all(axis=None))


def compare_results(a: Path, b: Path) -> Comparison:
    """Compare two results folders arm by arm, on paired seeds where both have them.

    Raises:
        ExportError: a folder lacks its tables, or they have no arm in common.
    """
    facts_a, facts_b = read_provenance(a), read_provenance(b)
    tables = [read_table(folder, "runs") for folder in (a, b)]
    runs = [_accuracies(table) for table in tables]
    common = [cell for cell in runs[0].columns if cell in runs[1].columns]
    if not common:
        raise ExportError(f"{a} and {b} have no arm in common")
    left, right = (table[common].align(other[common], axis=0)[0] for table, other in (runs, runs[::-1]))
    found = _judged(left, right)
    speeds = _speeds(a, b, common)
    same = all(facts_a.get(name) == facts_b.get(name) for name in HARDWARE)
    equal = _equal_trials(*tables)
    arms = [
        _arm(cell, judged, bool(equal[equal["cell"] == cell]["equal"].all()), speeds if same else None)
        for cell, judged in zip(common, found, strict=True)
    ]
    return Comparison(
        {n: (facts_a.get(n), facts_b.get(n)) for n in {**facts_a, **facts_b} if facts_a.get(n) != facts_b.get(n)},
        pd.DataFrame(arms),
        contrast(right[common].mean().to_numpy(), left[common].mean().to_numpy()),
        _over_arms(speeds) if same else None,
        sorted(set(runs[0].columns) ^ set(runs[1].columns)),
        _redeclared(tables, common),
        len(equal),
        int(equal["equal"].sum()),
        int((left.isna() ^ right.isna()).to_numpy().sum()),
        [cell for cell in runs[0].columns if cell not in runs[1].columns],
        found,
        left,
        right,
    )


def _judged(before: pd.DataFrame, after: pd.DataFrame) -> list[Contrast]:
    """B against A, all arms as one family."""
    both = pd.concat({"A": before, "B": after}, axis=1)
    both.columns = both.columns.to_flat_index()
    return judge_pairs(both, None, [Pair(("B", arm), ("A", arm)) for arm in before.columns], ACCURACY)


def read_provenance(folder: Path) -> dict[str, Any]:
    """What made the numbers of a results folder.

    Raises:
        ExportError: the folder does not say.
    """
    if not folder.is_dir():
        raise ExportError(f"there is no folder {folder}")
    try:
        content: dict[str, Any] = json.loads(ResultsFolder(folder).provenance.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{folder} has no readable provenance.json ({error}); {mended(folder)}") from None
    return content


def _equal_trials(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """One row per trial that is complete in both: ``cell``, ``seed``, and whether every outcome is ``equal``."""
    outcomes = [name for name in OUTCOMES if name in a and name in b]
    left, right = (runs[runs["status"] == "complete"][["cell", "seed", *outcomes]] for runs in (a, b))
    both = left.merge(right, on=["cell", "seed"], suffixes=("_a", "_b"))
    same = [(both[f"{n}_a"] == both[f"{n}_b"]) | (both[f"{n}_a"].isna() & both[f"{n}_b"].isna()) for n in outcomes]
    return both[["cell", "seed"]].assign(equal=pd.concat(same, axis=1).all(axis=1))


def _redeclared(tables: list[pd.DataFrame], common: list[str]) -> list[str]:
    """Arms that were trained from another model or recipe; none where a table does not say."""
    if not all("config_hash" in runs for runs in tables):
        return []
    left, right = (runs.groupby("cell")["config_hash"].first() for runs in tables)
    return [cell for cell in common if left[cell] != right[cell]]


def _accuracies(runs: pd.DataFrame) -> pd.DataFrame:
    """Seeds by arms."""
    complete = runs[runs["status"] == "complete"]
    return complete.pivot(index="seed", columns="cell", values="test_accuracy")


def _speeds(a: Path, b: Path, common: list[str]) -> pd.DataFrame:
    """Speed of B over speed of A, per arm and kind."""
    left, right = (read_table(folder, "cells").set_index("cell").loc[common, list(SPEEDS)] for folder in (a, b))
    return right / left


def _over_arms(ratios: pd.DataFrame) -> dict[str, Contrast]:
    """One arm is one pair: every arm's ratio against 1."""
    return {
        kind: log_ratio_contrast(ratios[kind].tolist(), [1.0] * len(ratios), margin=SPEED_MARGIN) for kind in SPEEDS
    }


def _arm(cell: str, judged: Contrast, equal: bool, ratios: pd.DataFrame | None) -> dict[str, Any]:
    row = {} if ratios is None else {str(kind): ratio for kind, ratio in ratios.loc[cell].items()}
    return {
        "arm": cell,
        "n": judged.n,
        "difference": judged.difference,
        "low": judged.low,
        "high": judged.high,
        "p_holm": judged.p_holm,
        "verdict": judged.verdict,
        "equal": equal,
        **{f"{kind}_ratio": ratio for kind, ratio in row.items()},
    }
