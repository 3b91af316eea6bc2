"""The page of ``nox -s chaos``: what was killed, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.doctor import provenance
from bench.files import write_text
from bench.tables import markdown_table, provenance_lines, write_csv

VICTIMS = ("worker", "driver", "all at once", "SIGTERM")
CONTINUED, AGAIN, MEASURED, NOTHING = "continued from checkpoint", "run again", "measured again", "nothing lost"
PAGE = """\
# Killed at random moments

A study of three arms of a very small model on MNIST, `vit-ablate {command}`, was killed {kills} times, at moments \
drawn by lot, and begun again with the same command until it was finished; then the next one, two beside each other. \
The victim was a worker, a driver, or all processes of the study at once, by SIGKILL, or a driver by SIGTERM; \
{beside} times a second driver worked on the same study. A trial keeps its state every 0.2 seconds here; by default \
it is every minute.

{result}

{summary}
*{continued}*: the trial that ran had a checkpoint, and the record of its result says that it went on from one. \
*{again}*: it had none yet, and began anew. *{measured}*: speeds were being measured. *{nothing}*: no trial ran, or \
its result was stored already. `second` is that of the driver's life.

## Every kill

{table}
## Provenance

{provenance}"""


def write(
    folder: Path, rows: Sequence[dict[str, Any]], studies: int, compared: tuple[int, int], words: Sequence[str]
) -> None:
    """The table of kills, and a page that says what was done and how it ended.

    Args:
        folder: to write to.
        rows: one a kill.
        studies: how many were killed.
        compared: rows and columns of ``runs`` that were compared.
        words: of the command.
    """
    trials, columns = compared
    outcomes = Counter(outcome for row in rows for outcome in str(row["outcome"]).split(", "))
    counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    result = (
        f"**Result.** Killed {len(rows)} times, {studies} studies ended each with the table `runs` of one that "
        f"nobody touched: the same {trials} rows, each trial with one complete result, and all {columns} columns equal "
        f"bit for bit, curves and the outcome for every test image among them, but those of times and attempts. "
        f"What was hit: {counts}."
    )
    victims = [[v, *(_count(rows, v, o) for o in (CONTINUED, AGAIN, MEASURED, NOTHING))] for v in VICTIMS]
    text = PAGE.format(
        command=" ".join(words),
        kills=len(rows),
        beside=sum(row["drivers"] > 1 for row in rows),
        result=result,
        continued=CONTINUED,
        again=AGAIN,
        measured=MEASURED,
        nothing=NOTHING,
        summary=markdown_table(["victim", CONTINUED, AGAIN, MEASURED, NOTHING], victims),
        table=markdown_table(list(rows[0]), [list(row.values()) for row in rows]),
        provenance=provenance_lines(provenance(f"CHAOS_KILLS={len(rows)} nox -s chaos", "cpu")),
    )
    write_csv(folder, "chaos.csv", rows)
    write_text(folder, "README.md", text)


def _count(rows: Sequence[dict[str, Any]], victim: str, outcome: str) -> int:
    return sum(str(row["outcome"]).split(", ").count(outcome) for row in rows if row["victim"] == victim)
