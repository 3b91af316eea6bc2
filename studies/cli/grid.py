"""A table that is printed: drawn on a terminal, one line a row with tabs between where a program reads it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from studies.cli.console import printable


@dataclass(frozen=True)
class Grid:
    """Rows under headings; all of it is text, never markup.

    Args:
        headers: one a column; line breaks are kept on a terminal.
        rows: of as many cells.
        title: above it.
        caption: lines below it.
        right: columns of numbers.
        bold: rows that stand out on a terminal.
        whole: no column may be left out, cells are folded instead; else the last ones are, where a terminal is narrow.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    caption: Sequence[str] = ()
    right: Collection[int] = ()
    bold: Collection[int] = ()
    whole: bool = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Drawn where somebody looks, else plain."""
        if console.is_terminal:
            yield self.drawn(options.max_width)
        else:
            yield from (Segment(f"{line}\n") for line in self.lines())

    def drawn(self, width: int) -> Table:
        """For a terminal so wide; no cell is ever cut short."""
        shown = len(self.headers) if self.whole else self._fitting(width)
        table = Table(title=Text(self.title) if self.title else None, title_justify="left", caption_justify="left")
        if self._is_tight(shown, width):
            table.box, table.padding = None, (0, 1, 0, 0)
        for i, header in enumerate(self.headers[:shown]):
            table.add_column(Text(header), justify="right" if i in self.right else "left", overflow="fold")
        for i, row in enumerate(self.rows):
            table.add_row(*(Text(printable(cell)) for cell in row[:shown]), style="bold" if i in self.bold else "")
        table.caption = Text("\n".join(self.caption)) if self.caption else None
        return table

    def lines(self) -> Iterator[str]:
        """Title, headings, rows, caption."""
        yield from [self.title] * bool(self.title)
        for row in (self.headers, *self.rows):
            yield "\t".join(printable(" ".join(cell.split())) for cell in row)
        yield from self.caption

    def _is_tight(self, shown: int, width: int) -> bool:
        """Whether words would be broken to make room for lines between the columns."""
        columns = zip(*(row[:shown] for row in (self.headers, *self.rows)), strict=True)
        return 1 + sum(3 + max(map(cell_len, " ".join(column).split()), default=0) for column in columns) > width

    def _fitting(self, width: int) -> int:
        """How many columns there is room for, at least the first."""
        left = width - 1
        for i, header in enumerate(self.headers):
            left -= 3 + max(
                cell_len(line) for text in (header, *(row[i] for row in self.rows)) for line in text.split("\n")
            )
            if i and left < 0:
                return i
        return len(self.headers)
