"""Pairs of arms judged as one family, however often the study was looked at while it grew."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from studies.statistics.looks import look
from studies.statistics.moderated import compare
from studies.statistics.paired_tests import Floats, differences_of
from studies.statistics.question import Question
from studies.statistics.verdicts import Contrast, as_family, described


@dataclass(frozen=True)
class Look:
    """What had been run when somebody read the tables, and the share of the error rate that this reading may spend.

    Args:
        share: 1 for the one look that was planned.
        units: cell -> its seeds that were complete.
    """

    share: float
    units: Mapping[Any, frozenset[Any]]

    def masked(self, values: pd.DataFrame, cells: Sequence[Any] | None = None) -> pd.DataFrame:
        """Values ``(units, arms)`` of which what came later is NaN; ``cells`` names the columns."""
        names = list(values.columns) if cells is None else list(cells)
        there = [values.index.isin(list(self.units.get(name, ()))) for name in names]
        return values.where(np.array(there).T.reshape(values.shape))


@dataclass(frozen=True)
class Pair:
    """Arm a against arm b, and what the choice of images adds to the error of their difference."""

    a: Any
    b: Any
    image_error: float = np.nan


def judge_pairs(
    values: pd.DataFrame | Sequence[pd.DataFrame],
    attempted: pd.DataFrame | None,
    pairs: Sequence[Pair],
    question: Question,
    looks: Sequence[Look] | Sequence[float] = (),
) -> list[Contrast]:
    """The pairs as one family: moderated t test, Holm, equivalence, and what all looks so far have spent.

    Args:
        values: units by arms, NaN where a run failed or never ran; or one such table a look, the last one whole.
        attempted: where a run was tried; by default where there is a value.
        pairs: columns of values.
        question: metric, margin, error rate and direction.
        looks: with one table, how it had grown at each look, the present one last; with many, their shares.
    """
    if not pairs:
        return []
    if isinstance(values, pd.DataFrame):
        known = [one for one in looks if isinstance(one, Look)]
        tables, shares = [one.masked(values) for one in known] or [values], [one.share for one in known] or [1.0]
    else:
        tables, shares = list(values), [float(one) for one in looks if not isinstance(one, Look)] or [1.0]
    names = list(dict.fromkeys(name for table in tables[-1:] for name in table.columns))
    places = [[names.index(pair.a), names.index(pair.b)] for pair in pairs]
    course = _course([table[names].to_numpy().T for table in tables], shares, places, question)
    last = tables[-1] if attempted is None else values if isinstance(values, pd.DataFrame) else tables[-1]
    tried = last.notna() if attempted is None else attempted
    found = compare(last[names].to_numpy().T, places)
    contrasts = []
    for place, pair in enumerate(pairs):
        differences = differences_of(last[pair.a].to_numpy(), last[pair.b].to_numpy())
        both_tried = int((tried[pair.a] | tried[pair.b]).sum())
        plain = described(differences, both_tried, question, found, place)
        facts = {name: column[place].item() for name, column in course.items()}
        contrasts.append(dataclasses.replace(plain, looks=len(tables), image_error=pair.image_error, **facts))
    return as_family(contrasts)


def _course(
    tables: Sequence[Floats], shares: Sequence[float], places: Sequence[Sequence[int]], question: Question
) -> dict[str, Floats]:
    """What the looks say of each pair: adjusted p values, interval, and the share of its last look with new seeds."""
    state = None
    share = np.ones(len(places))
    for values, own in zip(tables, shares, strict=True):
        before = state
        state = look(before, values, own, margin=question.margin, pairs=places, alpha=question.alpha)
        share = np.where(state.n > (0 if before is None else before.n), own, share)
    assert state is not None
    return {
        "p_looks": state.p,
        "p_equivalence": state.equivalence_p,
        "low": np.where(np.isfinite(state.low), state.low, np.nan),
        "high": np.where(np.isfinite(state.high), state.high, np.nan),
        "share": share,
    }
