"""Verdicts on anybody's table of runs: paired where seeds match, unpaired and said so where they do not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from studies.statistics.diagnosis import warning
from studies.statistics.question import ALPHA, Question
from studies.statistics.referee_pairs import Duel, judged_duels
from studies.statistics.scales import scale_of
from studies.statistics.screening import RunsError, Screened, Wanted, screened

MOST_PAIRS = 5_000
COLUMNS = [
    *("a", "b", "n", "difference", "low", "high", "p", "p_holm", "verdict", "detectable", "seeds_needed", "paired"),
    *("mean_a", "mean_b", "n_a", "n_b", "p_equivalence_holm", "family_size", "margin", "alpha", "higher_is_better"),
    *("error", "df"),
]
SHOWN = ["a", "b", "n", "difference", "low", "high", "p_holm", "verdict"]


class Judgement(pd.DataFrame):
    """One row a comparison; ``attrs["notes"]`` says in sentences what was left out and how it was compared."""

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return Judgement

    def _repr_html_(self) -> str:
        """The columns that a reader wants, escaped, with the notes below; all of them where these are not there."""
        import html

        lead = [name for name in ("dataset", "factor", "setting") if name in self]
        shown = [*lead, *SHOWN] if {*SHOWN} <= {*self} else list(self)
        table = pd.DataFrame(self)[shown].to_html(index=False, border=0, escape=True, float_format=lambda x: f"{x:.4g}")
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.attrs.get("notes", ()))
        return f"{table}{notes}"


def judge(
    frame: pd.DataFrame,
    arm: str | None = None,
    metric: str = "test_accuracy",
    seed: str | None = None,
    baseline: Any = None,
    dataset: str | None = None,
    margin: float | None = None,
    factors: Sequence[str] = (),
    higher_is_better: bool = True,
    alpha: float = ALPHA,
) -> Judgement:
    """Compare the arms of a table of runs, one row a run; see ``COLUMNS``.

    Where two arms share seeds (at least half of those of the arm that has fewer) they are paired, and all arms of a
    data set lend each other what they know of their spread: see `moderated`. Elsewhere the row has ``paired`` False
    and is Welch's t test. Each data set is one family (Holm); with factors each factor of it is.

    Args:
        frame: one row per run, whatever became of it; a column ``status`` or ``state`` is respected.
        arm: the column that names what is compared; not needed with factors.
        metric: the column of the values.
        seed: the column that pairs runs.
        baseline: an arm, against which all others are compared (a - b, b is the baseline); by default all pairs.
        dataset: the column of the data set.
        margin: differences smaller than this matter to nobody, in the unit of the metric. By default 0.2 points for
            fractions and percents, and 0, which is no equivalence, for anything else: see `scales`.
        factors: columns whose levels make up an arm. Then only arms that differ in one factor are compared, a and b
            are its levels, and ``setting`` names the others.
        higher_is_better: False for a loss, a time or a memory.
        alpha: the error rate of a family.

    Raises:
        RunsError: the table or the words do not fit; the message says what does.
    """
    wanted = Wanted(arm, metric, seed, dataset, tuple(factors))
    kept = screened(frame, wanted)
    if margin is None:
        margin = scale_of(metric, kept.runs["value"], higher_is_better).margin
    question = _question(metric, margin, alpha, higher_is_better)
    rows, notes = _judged(kept, wanted, question, None if baseline is None else str(baseline))
    lead = (["dataset"] if dataset is not None else []) + (["factor", "setting"] if factors else [])
    found = Judgement(rows[[*lead, *COLUMNS]])
    found.attrs["notes"] = [*kept.notes, *notes]
    return found


def _question(metric: str, margin: float, alpha: float, higher_is_better: bool) -> Question:
    try:
        return Question(metric=metric, margin=margin, alpha=alpha, higher_is_better=higher_is_better)
    except ValueError as error:
        raise RunsError(str(error)) from None


def _judged(kept: Screened, wanted: Wanted, question: Question, baseline: str | None) -> tuple[pd.DataFrame, list[str]]:
    """Rows of every family, and what is to be said of them."""
    arms = list(dict.fromkeys(kept.runs["arm"]))
    if baseline is not None and baseline not in arms:
        raise RunsError(f"no arm {baseline!r} has a run that counts; choices: {_some(arms)}")
    tables: list[pd.DataFrame] = []
    notes: list[str] = []
    for name, runs in kept.runs.groupby("dataset", sort=False):
        here = list(dict.fromkeys(runs["arm"]))
        place = f"{name}: " if wanted.dataset is not None else ""
        families = _families(runs, here, wanted, baseline)
        if not any(families.values()):
            notes.append(f"{place}{_nothing(here, baseline)}")
            continue
        for factor, duels in families.items():
            if duels:
                judged = judged_duels(runs, duels, question, wanted.seed is not None)
                tables.append(judged.assign(dataset=name, factor=factor))
        said = warning(_wide(runs)) if wanted.seed is not None else None
        notes += [f"{place}{said}"] if said else []
    if not tables:
        raise RunsError("; ".join(notes))
    found = pd.concat(tables, ignore_index=True)
    return found, [*notes, *_pairing(found["paired"], wanted)]


def _families(runs: pd.DataFrame, arms: list[str], wanted: Wanted, baseline: str | None) -> dict[str, list[Duel]]:
    """The comparisons of one data set, by factor; under "" where there is none."""
    count = len(arms) - 1 if baseline is not None else len(arms) * (len(arms) - 1) // 2
    if not wanted.factors and count > MOST_PAIRS:
        raise RunsError(
            f"{len(arms):,} arms make {count:,} comparisons, of which {MOST_PAIRS:,} are shown at most: "
            "name a baseline, or factors"
        )
    if not wanted.factors:
        pairs = (
            itertools.combinations(arms, 2)
            if baseline is None
            else ((arm, baseline) for arm in arms if arm != baseline)
        )
        return {"": [Duel(a, b) for a, b in pairs] if baseline is None or baseline in arms else []}
    levels = _levels(runs, wanted)
    return {
        name: list(_changes(levels, wanted.factors, place, None if baseline is None else levels.get(baseline)))
        for place, name in enumerate(wanted.factors)
    }


def _levels(runs: pd.DataFrame, wanted: Wanted) -> dict[str, tuple[str, ...]]:
    """Arm -> its levels.

    Raises:
        RunsError: an arm with several, or several arms with the same.
    """
    names = [f"factor {name}" for name in wanted.factors]
    found = runs[["arm", *names]].drop_duplicates()
    for columns, what in ((["arm"], "has several levels of one factor"), (names, "has the levels of another arm")):
        twice = found[found.duplicated(columns)]
        if len(twice):
            raise RunsError(
                f"arm {twice.iloc[0]['arm']!r} {what}: name every factor in which arms differ, and no other"
            )
    return {row[0]: tuple(row[1:]) for row in found.itertuples(index=False)}


def _changes(
    levels: dict[str, tuple[str, ...]], factors: Sequence[str], place: int, baseline: tuple[str, ...] | None
) -> Iterator[Duel]:
    """Arms that differ in one factor alone; with a baseline, one of them has its level."""
    settings: dict[tuple[str, ...], list[str]] = {}
    for arm, own in levels.items():
        settings.setdefault((*own[:place], *own[place + 1 :]), []).append(arm)
    others = [name for i, name in enumerate(factors) if i != place]
    for held, arms in settings.items():
        setting = ", ".join(f"{name}={level}" for name, level in zip(others, held, strict=True))
        back = [arm for arm in arms if baseline is not None and levels[arm][place] == baseline[place]]
        pairs = (
            ((a, b) for b in back for a in arms if a != b) if baseline is not None else itertools.combinations(arms, 2)
        )
        for a, b in pairs:
            yield Duel(a, b, levels[a][place], levels[b][place], setting)


def _wide(runs: pd.DataFrame) -> np.ndarray:
    """Values ``(arms, seeds)``."""
    return runs.pivot(index="arm", columns="seed", values="value").to_numpy()


def _nothing(arms: list[str], baseline: str | None) -> str:
    if len(arms) == 1:
        return f"only {arms[0]!r} has runs that count: a comparison needs two arms"
    if baseline is not None and baseline not in arms:
        return f"no run of {baseline!r} counts, so nothing is compared"
    return "no two arms differ in one factor alone, so nothing is compared"


def _pairing(paired: pd.Series[bool], wanted: Wanted) -> list[str]:
    """One sentence on the comparisons that are unpaired."""
    apart = int((~paired).sum())
    if not apart:
        return []
    test = "unpaired (Welch's t test), which finds less than paired seeds do"
    if wanted.seed is None:
        return [f"no column names seeds: every comparison is {test}"]
    some = "every comparison is" if apart == len(paired) else f"{apart:,} of {len(paired):,} comparisons are"
    return [f"too few seeds of {wanted.seed} are shared: {some} {test}"]


def _some(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
