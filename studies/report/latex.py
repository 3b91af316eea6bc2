r"""A result table to paste into a paper: booktabs, numbers in math, a caption that says n, test and family."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from studies.findings.columns import Column, Row, records, texts
from studies.findings.words import MISSING, hundredths

LETTERS = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "`": r"\textasciigrave{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "−": "$-$", "∞": r"$\infty$", "\n": " ",
    "±": r"$\pm$", "×": r"$\times$", "ω": r"$\omega$", "²": r"\textsuperscript{2}", "–": "--",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}  # fmt: skip
"""What is no letter to LaTeX, or another one than it looks."""
NUMBER = re.compile(r"[+−-]?[\d,]*\.?\d+%?")
SIZES = {116: r"scriptsize\setlength{\tabcolsep}{3pt}", 104: "footnotesize", 90: "small"}
"""Above so many letters a row; a line of text has some 85 of the usual size where margins are an inch."""
GAP = 2
"""Letters that the room between two columns takes."""
MARKED = "test_accuracy_mean"
"""The raw value of the column of arms that carries a verdict."""
SAID = {"better": "bold: better", "worse": r"$^{\downarrow}$: worse", "equivalent": r"$^{\approx}$: equivalent"}
MARKS = {"worse": r"^{\downarrow}", "equivalent": r"^{\approx}"}


def to_latex(frame: pd.DataFrame, columns: Sequence[Column], caption: str) -> str:
    """A ``table`` with caption and label; a verdict on an arm is a mark on its accuracy, and bold only if better."""
    told = any(column.key == "verdict" for column in columns)
    marked = next((column for column in columns if told and column.key == MARKED), None)
    kept = [column for column in columns if column.key != "verdict" or marked is None]
    kept = [column for column in kept if any(text != [MISSING] for text in texts([column], frame))] or kept
    rows = [[_cell(column, row, column is marked) for column in kept] for row in records(frame)]
    padded = [list(row) for row in zip(*map(_padded, zip(*rows, strict=True)), strict=True)]
    body = _aligned([[escaped(column.heading) for column in kept], *padded])
    align = "".join("r" if column.numeric else "l" for column in kept)
    said = [f"{escaped(caption)}.", _seeds(frame, columns), _verdicts(frame, marked is not None) if told else ""]
    lines = [
        r"\begin{table}",
        r"  \centering",
        *_smaller(frame, kept),
        f"  \\caption{{{' '.join(filter(None, said))}}}",
        f"  \\label{{tab:{re.sub(r'[^a-z0-9]+', '-', caption.lower()).strip('-')}}}",
        r"  \medskip",
        f"  \\begin{{tabular}}{{{align}}}",
        r"    \toprule",
        f"    {body[0]}",
        r"    \midrule",
        *(f"    {line}" for line in body[1:]),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """LaTeX's special characters as letters."""
    return "".join(LETTERS.get(char, char) for char in text)


def maths(text: str) -> str:
    r"""A number, one with its spread, or an interval: ``97.19 ± 0.08`` -> ``$97.19 \pm 0.08$``."""
    if text == MISSING or not NUMBER.search(text):
        return escaped(text)
    said = escaped(text).replace(r"\textless{}", "<").replace(r"\textgreater{}", ">").replace(r"$\pm$", r"\pm")
    said = said.replace("$-$", "-").replace(r"$\infty$", r"\infty").replace(",", "{,}")
    low, to, high = said.partition(" to ")
    if to and NUMBER.fullmatch(text.partition(" to ")[0]):
        return f"$[{low}, {high}]$"
    return f"${said}$" if re.fullmatch(r"[-+<>\d.{},\\pmifty ]+", said) else escaped(text)


def _cell(column: Column, row: Row, marked: bool) -> str:
    if not column.numeric:
        name = escaped(column.text(row))
        return f"{name} (baseline)" if column.key == "cell" and row.get("baseline") is True else name
    said = maths(column.text(row))
    verdict = row.get("verdict")
    if not marked or verdict not in SAID:
        return said
    value, spread, rest = said.strip("$").partition(r" \pm ")
    value = rf"\mathbf{{{value}}}" if verdict == "better" else value + MARKS[str(verdict)]
    return f"${value}{spread}{rest}$"


def _padded(cells: Sequence[str]) -> list[str]:
    """A spread with fewer digits before its point gets room for them, so that points stand below points."""
    parts = [cell.partition(r"\pm ") for cell in cells]
    widest = max((len(rest.split(".")[0]) for _, sign, rest in parts if sign), default=0)
    return [
        f"{value}{sign}{_room(widest - len(rest.split('.')[0]))}{rest}" if sign else value
        for value, sign, rest in parts
    ]


def _room(digits: int) -> str:
    return rf"\phantom{{{'0' * digits}}}" if digits > 0 else ""


def _aligned(rows: list[list[str]]) -> list[str]:
    """The source reads as a table, too."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [" & ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) + r" \\" for row in rows]


def _smaller(frame: pd.DataFrame, columns: Sequence[Column]) -> list[str]:
    """Smaller letters for a table that a page of text would not hold otherwise."""
    widths = [max(map(len, [column.heading, *(text[0] for text in texts([column], frame))])) for column in columns]
    letters = sum(widths) + GAP * len(widths)
    return next(([f"  \\{size}"] for most, size in SIZES.items() if letters > most), [])


def _seeds(frame: pd.DataFrame, columns: Sequence[Column]) -> str:
    """How many seeds, and what stands behind ±."""
    if "n" not in frame or frame["n"].isna().all():
        return ""
    low, high = int(frame["n"].min()), int(frame["n"].max())
    count = f"$n = {low}$" if low == high else f"$n = {low}$ to ${high}$"
    keys = [column.keys for column in columns]
    said = [r"mean $\pm$ standard deviation"] if ("test_accuracy_mean", "test_accuracy_sd") in keys else []
    said += [r"95\,\% Student's t intervals"] if ("test_accuracy_low", "test_accuracy_high") in keys else []
    return f"{count} seeds{': ' + ', '.join(said) if said else ''}."


def _verdicts(frame: pd.DataFrame, marked: bool) -> str:
    """By which test, in which family; and which marks there are."""
    found = frame.dropna(subset=["verdict"])
    test = " (moderated t test on paired seeds, Holm-adjusted"
    if len(found) and "family_size" in found:
        low, high = int(found["family_size"].min()), int(found["family_size"].max())
        sizes = f"a family of {low}" if low == high else f"families of {low} to {high}"
        facts = found.iloc[0]
        test += f" over {sizes} at {hundredths(facts['alpha'], 0)}\\,\\%"
        test += f", equivalent within $\\pm{hundredths(facts['margin'], 1)}$ points"
    if not marked:
        return f"Verdicts{test})."
    shown = [words for verdict, words in SAID.items() if verdict in set(found["verdict"])]
    said = f"Against the baseline, {'; '.join(shown)}" if shown else "No arm is shown to differ from the baseline"
    return f"{said}{test}); no mark: undecided."
