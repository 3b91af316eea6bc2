import dataclasses
import io
from collections import Counter

import pytest
from rich.console import Console

from studies.cli.grid import Grid

GRID = Grid(
    ("arm", "test\naccuracy", "reason"),
    [["horizontal/learned/cls", "97.1", "[/x] a\tb\nc \x1b[31m"], ["b", "5", ""]],
    title="T",
    caption=["below"],
    right=(1,),
    bold=(0,),
)


def printed(grid: Grid, width: int, terminal: bool) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, markup=False)
    console.print(grid)
    return console.file.getvalue()


def test_a_pipe_gets_one_whole_line_a_row_with_tabs_between():
    text = printed(GRID, 10_000, terminal=False)
    assert text.splitlines() == [
        "T",
        "arm\ttest accuracy\treason",
        "horizontal/learned/cls\t97.1\t[/x] a b c ?[31m",
        "b\t5\t",
        "below",
    ]


@pytest.mark.parametrize("width", [20, 30, 80])
def test_no_letter_is_lost_on_a_narrow_terminal(width):
    text = printed(GRID, width, terminal=True)
    assert "…" not in text
    assert "\x1b" not in text
    cells = "".join(("".join(GRID.headers), *("".join(row) for row in GRID.rows))).replace("\x1b", "?")
    assert Counter("".join(cells.split())) <= Counter(text)


def test_lines_go_before_words_are_broken():
    assert "┃ accuracy ┃" in printed(GRID, 80, terminal=True)
    text = printed(GRID, 42, terminal=True)
    assert "┃" not in text
    assert {"horizontal/learned/cls", "accuracy", "reason"} <= set(text.split())


def test_columns_that_may_go_do_where_there_is_no_room():
    grid = dataclasses.replace(GRID, whole=False)
    assert "reason" not in printed(grid, 40, terminal=True)
    assert "reason" in printed(grid, 100, terminal=True)
    assert "arm" in printed(grid, 12, terminal=True)
    assert "reason" in printed(grid, 5_000, terminal=False)
