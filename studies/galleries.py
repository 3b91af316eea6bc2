"""Pictures of what the baseline and the best arm see, drawn from the weights that their first seed left."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from studies.data import DataError
from studies.design import Cell, Plan
from studies.embedded import Embedded, embed
from studies.ledger import Ledger
from studies.looking import draw, look_at
from studies.pictures import PICTURES
from studies.weights import WeightsError

STAMP = ".drawn-from"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shown:
    """The pictures of one arm."""

    cell: str
    why: str
    pictures: list[Embedded]


def shown_cells(plan: Plan, cells: pd.DataFrame) -> dict[str, Cell]:
    """The baseline and the arm with the highest mean, by why they are shown; once if they are one."""
    by_name = {cell.name: cell for cell in plan.runnable}
    chosen = {"baseline": by_name[plan.baseline]}
    ranked = cells[cells["n"] > 0]["cell"]
    if len(ranked) and ranked.iloc[0] != plan.baseline:
        chosen["highest mean"] = by_name[ranked.iloc[0]]
    return chosen


def draw_galleries(ledger: Ledger, plan: Plan, cells: pd.DataFrame) -> None:
    """Draw what is missing or older than its weights; an arm without readable weights has no gallery.

    Pictures show test images, as those of ``vit-ablate look`` do: nothing is chosen by them.
    """
    for cell in shown_cells(plan, cells).values():
        weights, folder = ledger.weights_file(cell), pictures_folder(ledger, cell)
        if not weights.exists() or _stamp(folder) == _age(weights):
            continue
        try:
            age = _age(weights)
            draw(look_at(weights), folder)
            (folder / STAMP).write_text(age)
        except (WeightsError, DataError) as error:
            log.info("no gallery of %s: %s", cell.name, error)


def kept_galleries(ledger: Ledger, plan: Plan, cells: pd.DataFrame) -> list[Shown]:
    """What lies in ``pictures/``, made small, in the order in which pictures are registered."""
    found = []
    for why, cell in shown_cells(plan, cells).items():
        paths = {path.stem: path for path in pictures_folder(ledger, cell).glob("*.png")}
        names = [name for name in PICTURES if name in paths]
        if names:
            found.append(Shown(cell.name, why, [embed(paths[name], name.replace("-", " ")) for name in names]))
    return found


def pictures_folder(ledger: Ledger, cell: Cell) -> Path:
    """Where the pictures of a cell lie."""
    return ledger.folder / "pictures" / ledger.weights_file(cell).stem


def _age(weights: Path) -> str:
    return str(weights.stat().st_mtime_ns)


def _stamp(folder: Path) -> str:
    return (folder / STAMP).read_text() if (folder / STAMP).exists() else ""
