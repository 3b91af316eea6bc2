"""Tables of runs as others write them: Weights & Biases, MLflow, Optuna, or anybody's CSV, Parquet or JSON lines."""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from studies.statistics.screening import RunsError, Wanted, named

PREFIX = re.compile(r"^(metrics|params|tags|config|summary|user_attrs|system_attrs|values)[._/](?=.)")
"""What trackers write before a name: ``metrics.acc`` of MLflow, ``params_model`` of Optuna, ``config.model``."""
MEASURED = ("metrics", "summary", "values", "")
DECLARED = ("params", "config", "user_attrs", "", "tags", "system_attrs")
NESTED = ("config", "summary")
"""Columns that hold a whole dictionary in Weights & Biases' own export."""
ARMS = ("arm", "cell", "model", "variant", "method")
METRICS = ("test_accuracy", "test_acc", "accuracy", "acc", "value")
SEEDS = ("seed", "random_seed", "random_state", "rng_seed")
DATASETS = ("dataset", "data_set")
FEWEST_OF_ARM = 2


def read_runs(path: Path) -> pd.DataFrame:
    """A table by its ending: .csv, .tsv, .parquet, .jsonl, .ndjson or .json; words such as ``none`` stay words.

    Raises:
        RunsError: another ending, or a file that is not what its ending says.
        OSError: no such file.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise RunsError(f"{path.name}: cannot tell what it is; choices: {', '.join(READERS)}")
    try:
        frame = reader(path)
    except OSError as error:
        if error.errno is None:  # pyarrow's, of a damaged file
            raise RunsError(f"{path.name} is no table: {_first_line(error)}") from None
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunsError(f"{path.name} is no {path.suffix[1:]} table: {_first_line(error)}") from None
    return _flat(frame.set_axis([str(name) for name in frame], axis=1).reset_index(drop=True))


def short(column: str) -> str:
    """``metrics.acc -> acc``."""
    return PREFIX.sub("", column)


def find_columns(
    frame: pd.DataFrame,
    arm: str | None = None,
    metric: str | None = None,
    seed: str | None = None,
    dataset: str | None = None,
    factors: Sequence[str] = (),
) -> Wanted:
    """The columns that were asked for by full or short name; what was not is looked for by the usual names.

    Raises:
        RunsError: none fits, or several do; the message lists them.
    """
    wanted_factors = tuple(find(frame, name, "--factor", DECLARED) for name in factors)
    measured = find(frame, metric, "--metric", MEASURED) if metric else _guess(frame, METRICS, MEASURED) or _only(frame)
    if measured is None:
        raise RunsError(f"say with --metric what was measured; columns of numbers: {_listed(_numeric(frame))}")
    compared = find(frame, arm, "--arm", DECLARED) if arm else None
    if compared is None and not factors:
        compared = _guess(frame, ARMS, DECLARED)
        if compared is None:
            raise RunsError(f"say with --arm what is compared; columns of levels: {_listed(_levels(frame))}")
    pairs = find(frame, seed, "--seed", DECLARED) if seed else _guess(frame, SEEDS, DECLARED)
    data = find(frame, dataset, "--dataset", DECLARED) if dataset else _guess(frame, DATASETS, DECLARED)
    if not dataset and data is not None and (data in {compared, *wanted_factors} or named(frame[data]).nunique() < 2):
        data = None
    return Wanted(compared, measured, pairs, data, wanted_factors)


def find(frame: pd.DataFrame, name: str, option: str, places: Sequence[str]) -> str:
    """The column of this full or short name; of several, the one that comes first in ``places`` (prefixes)."""
    if name in frame:
        return name
    for said in (short, lambda column: short(column).casefold()):
        found = [column for column in _columns(frame) if said(column) == (name if said is short else name.casefold())]
        if found:
            return _nearest(found, name, option, places)
    there = _columns(frame)
    near = difflib.get_close_matches(name, dict.fromkeys([*map(short, there), *there]), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise RunsError(f"{option} {name}: no such column{hint}; choices: {_listed(there)}")


def _columns(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame]


def _nearest(found: list[str], name: str, option: str, places: Sequence[str]) -> str:
    ranks = [places.index(_prefix(column)) if _prefix(column) in places else len(places) for column in found]
    best = [column for column, rank in zip(found, ranks, strict=True) if rank == min(ranks)]
    if len(best) > 1:
        raise RunsError(f"{option} {name} may be each of {_listed(best)}: write one of them in full")
    return best[0]


def _prefix(column: str) -> str:
    match = PREFIX.match(column)
    return match[1] if match else ""


def _guess(frame: pd.DataFrame, names: Sequence[str], places: Sequence[str]) -> str | None:
    """The first of the usual names that is there with something in it."""
    there = frame[
        [column for column in _columns(frame) if frame[column].map(lambda value: str(value).strip() != "").any()]
    ]
    for name in names:
        if any(short(column).casefold() == name for column in _columns(there)):
            return find(there, name, "the usual name", places)
    return None


def _only(frame: pd.DataFrame) -> str | None:
    """The one metric that a tracker kept."""
    kept = [column for column in _columns(frame) if _prefix(column) in ("metrics", "summary")]
    return kept[0] if len(kept) == 1 else None


def _numeric(frame: pd.DataFrame) -> list[str]:
    return [name for name in _columns(frame) if pd.to_numeric(frame[name].map(str), errors="coerce").notna().any()]


def _levels(frame: pd.DataFrame) -> list[str]:
    """Columns whose values recur."""
    counts = {name: named(frame[name]).nunique() for name in _columns(frame)}
    return [name for name, count in counts.items() if FEWEST_OF_ARM <= count <= len(frame) / FEWEST_OF_ARM]


def _listed(names: Sequence[str], most: int = 20) -> str:
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more]) or "none"


def _csv(separator: str) -> Callable[[Path], pd.DataFrame]:
    def read(path: Path) -> pd.DataFrame:
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")

    return read


def _json_lines(path: Path) -> pd.DataFrame:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    return _records(lines)


def _json(path: Path) -> pd.DataFrame:
    return _records(json.loads(path.read_text(encoding="utf-8-sig")))


def _records(rows: Any) -> pd.DataFrame:
    """Rows as they were written: pandas would make numbers of words and dates of numbers."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("every row must be an object with names")
    return pd.DataFrame(pd.json_normalize(rows).astype(object))


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _csv(","),
    ".tsv": _csv("\t"),
    ".parquet": pd.read_parquet,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
}


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Dictionaries in a cell, or their text, as columns ``config.model``."""
    for name in NESTED:
        if name not in frame:
            continue
        dictionaries = frame[name].map(_dictionary)
        if len(frame) and dictionaries.map(lambda value: isinstance(value, dict)).all():
            inner = pd.json_normalize(dictionaries.to_list()).add_prefix(f"{name}.").astype(object)
            fresh = inner[[column for column in inner if column not in frame]]
            frame = pd.concat([frame.drop(columns=name), fresh], axis=1)
    return frame


def _dictionary(value: Any) -> Any:
    """A dictionary of its JSON or Python text; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    for parse in (json.loads, lambda text: ast.literal_eval(re.sub(r"(?<=: )(nan|-?inf)\b", "None", text))):
        try:
            return parse(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return value


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
