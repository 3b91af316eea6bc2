"""What changed between two runs of a study: another commit, machine or recipe."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from studies.contrasts import log_ratio_contrast
from studies.export import ExportError, read_table
from studies.statistics import Contrast, contrast, holm

HARDWARE = ("cpu", "cores", "gpu")
SPEEDS = ("train_images_per_second", "infer_images_per_second")
SPEED_MARGIN = 0.05  # two measurements of one program on one machine differ by so much


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side. Differences are B - A; ``speed`` is None across different hardware.

    Args:
        changed: facts that differ: name -> (A, B).
        arms: one row per arm of both: n, difference in test accuracy, interval, verdict, speed ratios.
        accuracy: over all arms, one arm a pair.
        speed: by kind, the logarithm of B / A over all arms, one arm a pair.
        only: arms that one of the two lacks.
    """

    changed: dict[str, tuple[Any, Any]]
    arms: pd.DataFrame
    accuracy: Contrast
    speed: dict[str, Contrast] | None
    only: list[str]

    @property
    def worse(self) -> bool:
        """Whether any accuracy or speed got significantly worse."""
        speeds = [] if self.speed is None else list(self.speed.values())
        verdicts = [self.accuracy.verdict, *self.arms["verdict"], *(found.verdict for found in speeds)]
        return "worse" in verdicts


def compare_results(a: Path, b: Path) -> Comparison:
    """Compare two results folders arm by arm, on paired seeds where both have them.

    Raises:
        ExportError: a folder lacks its tables, or they have no arm in common.
    """
    facts_a, facts_b = read_provenance(a), read_provenance(b)
    runs = [_accuracies(read_table(folder, "runs")) for folder in (a, b)]
    common = [cell for cell in runs[0].columns if cell in runs[1].columns]
    if not common:
        raise ExportError(f"{a} and {b} have no arm in common")
    left, right = (table[common].align(other[common], axis=0)[0] for table, other in (runs, runs[::-1]))
    found = holm([contrast(right[cell].to_numpy(), left[cell].to_numpy()) for cell in common])
    speeds = _speeds(a, b, common)
    same = all(facts_a.get(name) == facts_b.get(name) for name in HARDWARE)
    arms = pd.DataFrame(
        [_arm(cell, judged, speeds if same else None) for cell, judged in zip(common, found, strict=True)]
    )
    return Comparison(
        {n: (facts_a.get(n), facts_b.get(n)) for n in {**facts_a, **facts_b} if facts_a.get(n) != facts_b.get(n)},
        arms,
        contrast(right[common].mean().to_numpy(), left[common].mean().to_numpy()),
        _over_arms(speeds) if same else None,
        sorted(set(runs[0].columns) ^ set(runs[1].columns)),
    )


def read_provenance(folder: Path) -> dict[str, Any]:
    """What made the numbers of a results folder.

    Raises:
        ExportError: the folder does not say.
    """
    try:
        content: dict[str, Any] = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(
            f"{folder} has no readable provenance.json ({error}); rebuild it with `vit-ablate table`"
        ) from None
    return content


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


def _arm(cell: str, judged: Contrast, ratios: pd.DataFrame | None) -> dict[str, Any]:
    row = {} if ratios is None else {str(kind): ratio for kind, ratio in ratios.loc[cell].items()}
    return {
        "arm": cell,
        "n": judged.n,
        "difference": judged.difference,
        "low": judged.low,
        "high": judged.high,
        "p_holm": judged.p_holm,
        "verdict": judged.verdict,
        **{f"{kind}_ratio": ratio for kind, ratio in row.items()},
    }
