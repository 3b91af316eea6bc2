"""A results folder as objects: its tables, its answer and its figures, with or without its storage."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from studies.findings.column import pick, records, texts
from studies.findings.columns import ARMS
from studies.findings.saved import ExportError, read_table
from studies.ledger.folder import ResultsFolder
from studies.report.figures import WIDTH, figures_of, save_figure
from studies.statistics.question import ACCURACY, Question

SENTENCE = re.compile(r"^- \*\*(.+?)\.\*\* (.+)$", re.MULTILINE)
SHOWN = ("cell", "n", "test_accuracy_mean", "interval", "train_images_per_second", "params")


@dataclass(frozen=True)
class Told:
    """What the tables tell of a study's declaration: see `declared.Declared`."""

    study: str
    dataset: str
    factors: Mapping[str, Sequence[Any]]
    baseline: str
    compares: Question


@dataclass(frozen=True)
class Picture:
    """A figure that a notebook shows, and that can be saved; ``figure`` is matplotlib's."""

    figure: Figure

    def save(self, path: str | Path) -> Path:
        """As PNG, SVG or PDF, by the suffix; fonts of a PDF are embedded.

        Raises:
            ExportError: another suffix.
        """
        path = Path(path)
        if path.suffix not in (".png", ".svg", ".pdf"):
            raise ExportError(f"{path}: a figure is saved as .png, .svg or .pdf")
        path.parent.mkdir(parents=True, exist_ok=True)
        save_figure(self.figure, path)
        return path

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.figure.savefig(out, format="png", dpi=110)
        return out.getvalue()


@dataclass(frozen=True, repr=False)
class Results:
    """What a study found; a notebook shows the answer and the arms.

    Args:
        folder: where it lies.
        runs: one row a trial.
        cells: one row an arm, the best mean first.
        contrasts: one row a comparison, with its verdict.
        answer: (topic, sentence), at most five; empty where the folder has no README.
        told: the study's declaration.
    """

    folder: Path
    runs: pd.DataFrame
    cells: pd.DataFrame
    contrasts: pd.DataFrame
    answer: Sequence[tuple[str, str]]
    told: Told

    @property
    def effects(self) -> pd.DataFrame:
        """What every single change of the baseline does: the contrasts of arms that differ from it in one factor."""
        cells = self.cells.set_index("cell")
        base = cells.loc[self.told.baseline]
        alone = self.contrasts[self.contrasts["factor"] == "cell"]
        rows = []
        for row in records(alone):
            changed = [name for name in self.told.factors if str(cells.loc[row["a"], name]) != str(base[name])]
            if len(changed) == 1:
                levels = {"a": str(cells.loc[row["a"], changed[0]]), "b": str(base[changed[0]])}
                rows.append(dict(row) | {"factor": changed[0]} | levels)
        order = list(self.told.factors)
        rows.sort(key=lambda row: order.index(row["factor"]))
        return pd.DataFrame(rows, columns=list(self.contrasts))

    def figures(self, width: float = WIDTH) -> dict[str, Picture]:
        """Accuracy, effects and speed, as far as the tables have them; ``width`` in inches (a column: 3.25)."""
        drawn = figures_of(self.told, self.runs, self.cells, self.contrasts, self.effects, width)
        return {name: Picture(figure) for name, figure in drawn.items()}

    def figure(self, name: str, width: float = WIDTH) -> Picture:
        """One of ``figures``.

        Raises:
            ExportError: no such figure.
        """
        drawn = self.figures(width)
        if name not in drawn:
            raise ExportError(f"no figure {name!r}; choices: {', '.join(drawn)}")
        return drawn[name]

    def __repr__(self) -> str:
        said = [f"{topic}: {text}" for topic, text in self.answer]
        return "\n".join([f"{self.folder.name}: {len(self.cells)} arms, {len(self.runs)} trials", *said])

    def _repr_html_(self) -> str:
        columns = pick(ARMS, *SHOWN)
        table = pd.DataFrame(texts(columns, self.cells), columns=[column.heading for column in columns])
        said = "".join(f"<li><b>{html.escape(topic)}.</b> {html.escape(text)}</li>" for topic, text in self.answer)
        head = f"<p>{html.escape(self.folder.name)}</p>" + (f"<ul>{said}</ul>" if said else "")
        return f"{head}{table.to_html(index=False, border=0, escape=True)}"


def load_results(folder: str | Path) -> Results:
    """The results of a study from its folder, for example ``results/published/ablations-mnist-cpu``.

    Raises:
        ExportError: no results there, or a damaged table.
    """
    files = ResultsFolder(Path(folder))
    runs, cells, contrasts = (read_table(files.path, kind) for kind in ("runs", "cells", "contrasts"))
    if "setting" in contrasts:
        contrasts = contrasts.assign(setting=contrasts["setting"].astype(object).fillna(""))
    text = files.readme.read_text(encoding="utf-8").split("\n## ")[0] if files.readme.exists() else ""
    return Results(files.path, runs, cells, contrasts, SENTENCE.findall(text), _told(runs, cells, contrasts))


def _told(runs: pd.DataFrame, cells: pd.DataFrame, contrasts: pd.DataFrame) -> Told:
    """The factors are the columns of the arms before that of the baseline."""
    names = list(cells)
    factors = names[names.index("cell") + 1 : names.index("baseline")]
    first = contrasts.iloc[0] if len(contrasts) else None
    margin, alpha = (ACCURACY.margin, ACCURACY.alpha) if first is None else (first["margin"], first["alpha"])
    return Told(
        study=str(runs["study"].iloc[0]),
        dataset=str(runs["dataset"].iloc[0]),
        factors={str(name): list(dict.fromkeys(runs[name].astype(str))) for name in factors},
        baseline=str(cells.loc[cells["baseline"], "cell"].iloc[0]),
        compares=Question(margin=float(margin), alpha=float(alpha)),
    )
