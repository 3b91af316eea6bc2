"""`table`; one that was written needs neither torch nor scipy."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from studies.cli.console import err, is_styled, out, say
from studies.cli.tables import ranked_table
from studies.findings.saved import read_table
from studies.ledger.folder import ResultsFolder
from studies.report.export import DEFAULT_COLUMNS, FOR_LATEX, FORMATS, columns_of, renamed, select, with_verdicts

PAGE_OF_ROWS = 50
"""Of a paper's table."""


@dataclass(frozen=True)
class Said:
    """How a table's entries are said: ``OLD=NEW`` names, and digits of accuracies."""

    rename: Sequence[str] = ()
    digits: int | None = None

    @property
    def chosen(self) -> bool:
        """Whether anything was asked for."""
        return bool(self.rename) or self.digits is not None


@dataclass(frozen=True)
class WantedTable:
    """Which table, which columns and rows of it, and how it is printed."""

    kind: str = "cells"
    form: str | None = None
    columns: str | None = None
    where: Sequence[str] = ()
    sort: str | None = None
    said: Said = Said()

    @property
    def chosen(self) -> bool:
        """Whether anything was."""
        return bool(self.form or self.columns or self.where or self.sort or self.said.chosen or self.kind != "cells")


def print_table(folder: ResultsFolder, wanted: WantedTable, rebuild: bool) -> None:
    """Ranked arms where nothing was chosen, else the table that was; nothing is written unless it is to be rebuilt."""
    if rebuild:
        from studies.report.publishing import publish

        publish(folder.ledger(), folder)
    if folder.server or not folder.holds_results:
        print_unwritten(folder, wanted)
        return
    frame = read_table(folder.path, wanted.kind)
    if wanted.kind == "cells":
        frame = with_verdicts(frame, read_table(folder.path, "contrasts"))
    print_frame(folder, frame, wanted)
    if folder.storage.exists() and folder.storage.stat().st_mtime > folder.table("runs").stat().st_mtime:
        name = shlex.quote(str(folder.path))
        err.print(f"trials came in since: `vit-ablate table {name} --rebuild` adds them", soft_wrap=True)


def print_unwritten(folder: ResultsFolder, wanted: WantedTable) -> None:
    """Of a study on a server, or whose tables were not written yet; they are not now either."""
    from studies.report.publishing import tabulate

    found = tabulate(folder.ledger(), folder)
    if wanted.kind == "cells":
        print_frame(folder, with_verdicts(found.cells, found.contrasts), wanted)
    else:
        print_frame(folder, found.runs if wanted.kind == "runs" else found.contrasts, wanted)


def print_frame(folder: ResultsFolder, frame: pd.DataFrame, wanted: WantedTable) -> None:
    """As a person reads it, or in the format that was asked for."""
    if not wanted.chosen:
        out.print(ranked_table(folder.name, frame, is_styled()))
        say(
            f"all of it: {folder.readme}"
            if folder.readme.exists()
            else f"from {'the storage' if folder.server else folder.storage}"
        )
        return
    usual = (FOR_LATEX if wanted.form == "latex" else {}).get(wanted.kind, DEFAULT_COLUMNS[wanted.kind])
    names = [name.strip() for name in wanted.columns.split(",")] if wanted.columns else [*usual]
    if wanted.kind == "cells" and not wanted.columns:
        names.append("verdict")
    shown = renamed(columns_of(wanted.kind, frame, names), frame, wanted.said.rename)
    if wanted.said.digits is not None:
        shown = [column.rounded(wanted.said.digits) for column in shown]
    text = FORMATS[wanted.form or "md"](
        select(frame, wanted.where, wanted.sort), shown, f"{folder.name}: {wanted.kind}"
    )
    out.print(text, soft_wrap=True, end="")
    if wanted.form == "latex" and (rows := text.count(r" \\")) > PAGE_OF_ROWS:
        err.print(f"{rows} rows are more than a page holds: --where chooses some", soft_wrap=True, highlight=False)
