"""From a declared study to tables that a careful reader can trust.

Eleven rooms; read from top to bottom they are the order of imports: a room imports only from rooms below it,
and beneath them all stand ``bench`` (meters) and ``vit`` (the model). ``tests/test_layering.py`` holds that.

    cli/         what a person types                                  typer and rich live here only
    report/      what a person reads: README.md, report.html, figures, pictures     jinja2, matplotlib only here
    findings/    what the numbers say: tables, comparisons, sentences
    running/     every trial exactly once: runner, packs, executors, progress
    ledger/      the truth about a study: storage, entries            optuna, sqlalchemy only here
    catalog/     one file a study
    design/      Study -> Plan -> Cell -> Trial; settings
    trial/       one trial -> one record; weights, provenance
    training/    one model, or a pack of them, trained; steps/
    data/        images as resident uint8: published sets, and own/, a person's own
    statistics/  the arithmetic of claims; imports nothing of this project    scipy, statsmodels, patsy only here
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studies.report.from_python import run
    from studies.report.saved_study import load_results
    from studies.statistics import judge

__all__ = ["judge", "load_results", "run"]
PLACES = {
    "judge": "studies.statistics",
    "load_results": "studies.report.saved_study",
    "run": "studies.report.from_python",
}


def __getattr__(name: str) -> Any:
    """For Python and notebooks; loaded when asked for, so that the command starts at once."""
    if name not in PLACES:
        raise AttributeError(f"module 'studies' has no attribute {name!r}; it has {', '.join(__all__)} and its rooms")
    return getattr(import_module(PLACES[name]), name)
