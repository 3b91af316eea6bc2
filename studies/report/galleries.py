"""Pictures of what the baseline and the best arm see, drawn from the weights that their first seed left."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from studies.data import DataError
from studies.design.plan import Cell, Plan
from studies.ledger.folder import ResultsFolder
from studies.report.images import PagePicture, picture_of
from studies.report.pictures import PICTURES
from studies.report.pictures.weights_file import LookError, draw, look_at
from studies.training.weights import WeightsError

STAMP = ".drawn-from"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shown:
    """The pictures of one arm."""

    cell: str
    why: str
    pictures: list[PagePicture]


def shown_cells(plan: Plan, cells: pd.DataFrame) -> dict[str, Cell]:
    """The baseline and the arm with the highest mean, by why they are shown; once if they are one."""
    by_name = {cell.name: cell for cell in plan.runnable}
    chosen = {"baseline": by_name[plan.baseline]}
    ranked = cells[cells["n"] > 0]["cell"]
    if len(ranked) and ranked.iloc[0] != plan.baseline:
        chosen["highest mean"] = by_name[ranked.iloc[0]]
    return chosen


def draw_galleries(folder: ResultsFolder, plan: Plan, cells: pd.DataFrame, source: ResultsFolder) -> None:
    """Draw what is missing or older than its weights; an arm without readable weights has no gallery.

    Pictures show test images, as those of ``vit-ablate look`` do: nothing is chosen by them.
    """
    for cell in shown_cells(plan, cells).values():
        weights, pictures = source.weights(cell.name), folder.pictures(cell.name)
        if not weights.exists() or _stamp(pictures) == _age(weights):
            continue
        try:
            age = _age(weights)
            for path in draw(look_at(weights), pictures, form="svg").paths:
                path.with_suffix(".png").unlink(missing_ok=True)  # of an earlier version
            (pictures / STAMP).write_text(age)
        except (WeightsError, DataError, LookError) as error:
            log.info("no gallery of %s: %s", cell.name, error)


def kept_galleries(folder: ResultsFolder, plan: Plan, cells: pd.DataFrame) -> list[Shown]:
    """What lies in ``pictures/``, in the order in which pictures are registered."""
    found = []
    for why, cell in shown_cells(plan, cells).items():
        paths = {path.stem: path for form in ("png", "svg") for path in folder.pictures(cell.name).glob(f"*.{form}")}
        names = [name for name in PICTURES if name in paths]
        if names:
            found.append(Shown(cell.name, why, [picture_of(paths[name], name.replace("-", " ")) for name in names]))
    return found


def _age(weights: Path) -> str:
    return f"{weights.stat().st_mtime_ns} as SVG"


def _stamp(folder: Path) -> str:
    return (folder / STAMP).read_text() if (folder / STAMP).exists() else ""
