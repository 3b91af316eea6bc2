"""A study that goes on with another version of torch, or on another processor: said to the person who runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.machine import machine_facts
from studies.ledger.ledger import Ledger
from studies.running.runner import RUNS
from studies.trial.provenance import versions


def moved(ledger: Ledger, device: str) -> str | None:
    """One line about what is another here than in every run before; None if nothing is, or nothing was run.

    Arithmetic is kept (``studies/running/arithmetic.py``); still, bits go by the program and the processor.
    """
    before = ledger.notes(RUNS) or []
    here = _facts({**versions(), "machine": machine_facts(device)})
    known = {name: {run[name]: None for run in map(_facts, before) if name in run} for name in here}
    found = [
        f"{name} {here[name]} (before: {', '.join(known[name])})" for name in here if _new(here[name], known[name])
    ]
    if not found:
        return None
    return (
        f"this study goes on with another {', another '.join(found)}: the same seed has other bits there; "
        "the provenance names all"
    )


def _new(value: str, known: Mapping[str, None]) -> bool:
    return bool(known) and value not in known


def _facts(run: Mapping[str, Any]) -> dict[str, str]:
    machine = run.get("machine", {})
    told = {"torch": run.get("torch"), "processor": machine.get("gpu") or machine.get("cpu")}
    return {name: str(value) for name, value in told.items() if value}
