"""Arms that were trained in packs of other sizes than the baseline: their numbers are rounded differently."""

from __future__ import annotations

import pandas as pd

from studies.design.plan import Plan
from studies.findings.words import plural

SHOWN = 3


def packed_differently(plan: Plan, runs: pd.DataFrame) -> str:
    """Which arms share seeds with the baseline, but not the size of the pack; empty if none."""
    if "packed" not in runs:
        return ""
    complete = runs[runs["status"] == "complete"]
    sizes = complete.pivot_table(index="seed", columns="cell", values="packed", aggfunc="last")
    if plan.baseline not in sizes:
        return ""
    base = sizes[plan.baseline]
    found = {}
    for name in sizes.columns.drop(plan.baseline):
        both = sizes[[name]].assign(base=base).dropna()
        if num := int((both[name] != both["base"]).sum()):
            found[str(name)] = num
    if not found:
        return ""
    arms = ", ".join(f"`{name}`" for name in list(found)[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return (
        f"{arms}{more} trained in packs of other sizes than the baseline in {plural(sum(found.values()), 'trial')}: "
        "products are rounded differently there, which is no effect of a design. A run of its own with one `--pack N` "
        "has none of it."
    )
