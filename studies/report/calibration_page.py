"""The page that says whether the statistics keep their word."""

from __future__ import annotations

import pandas as pd

from bench.machine import machine_facts
from studies.report.markdown import key_values, markdown
from studies.trial.provenance import command, source_state, versions

RULES = ["moderated", "paired t", "sign flip"]
INTRO = """\
Simulated studies whose truth is known: arms on shared seeds, accuracies near 97 %. A rate of false claims is that of \
whole families: any `better` or `worse` where no arm differs, any `equivalent` where every arm is exactly the margin \
away. It may be {bound} and, at so many studies, stray by `tolerance` (three binomial standard errors). `moderated` is \
the rule that speaks, `looks` the same under planned looks, `images` over new seeds and new images; `paired t` and \
`sign flip` (the rule of before) stand beside them."""


def calibration_page(table: pd.DataFrame, studies: int) -> str:
    """Every promise at its worst, the rules side by side, what no rule holds, looks, images, provenance."""
    facts = {"command": command(), "studies per row": f"{studies:,}", **machine_facts("cpu")}
    broken = table[table["required"] & ~table["passed"]]
    stress = table["noise"].str.startswith("stress") & table["quantity"].str.startswith("false")
    return "\n\n".join(
        [
            "# Do the statistics keep their word?",
            INTRO.format(bound="5 %"),
            f"{int(table['required'].sum())} promises, {len(broken)} broken. Every row is in `calibration.csv`.",
            *(["## Broken", markdown(broken.round(4))] if len(broken) else []),
            "## False claims of a difference, worst of all arms and seeds",
            markdown(_worst(table[table["quantity"] == "false difference"])),
            "## Power to find half a point, 24 arms and 5 seeds",
            markdown(_rules(table, "power, half a point", arms=24, seeds=5)),
            "## Not promised: what no rule holds",
            "Where strong skew meets unequal spread, even the plain paired t test claims too much. A report warns when "
            "its runs look like that.",
            markdown(_worst(table[stress])),
            "## Planned looks",
            markdown(_shown(table[table["rule"] == "looks"])),
            "## New images",
            markdown(_shown(table[table["noise"] == "images"])),
            "## Provenance",
            key_values({**facts, **source_state(), **versions()}) + "\n",
        ]
    )


def _worst(rows: pd.DataFrame) -> pd.DataFrame:
    """The highest rate of each noise and rule."""
    wide = rows.pivot_table(index="noise", columns="rule", values="observed", aggfunc="max", sort=False)
    return _text(wide[[name for name in [*RULES, "looks"] if name in wide]])


def _rules(table: pd.DataFrame, quantity: str, arms: int, seeds: int) -> pd.DataFrame:
    rows = table[(table["quantity"] == quantity) & (table["arms"] == arms) & (table["seeds"] == seeds)]
    wide = rows.pivot_table(index="noise", columns="rule", values="observed", sort=False)
    return _text(wide[[name for name in RULES if name in wide]])


def _text(wide: pd.DataFrame) -> pd.DataFrame:
    return wide.map(lambda rate: "–" if pd.isna(rate) else f"{rate:.3f}").reset_index()


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    columns = ["noise", "rule", "arms", "seeds", "quantity", "observed", "bound", "tolerance", "required", "passed"]
    return rows[columns].round(4)
