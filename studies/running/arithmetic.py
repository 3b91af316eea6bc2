"""One arithmetic an arm: what its first trials were computed in is kept, wherever the study goes on.

The rule of ``studies/training/compute.py`` goes by the processor, so another machine may choose another number format
or kernel, and other bits. A study that is continued there keeps what it began with, or is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields

from studies.design.plan import Plan
from studies.ledger.arithmetic import NOTE, begun_in
from studies.ledger.entries import Entry
from studies.ledger.ledger import Ledger
from studies.ledger.states import with_records
from studies.training.compute import Compute, has_bfloat16, has_cpp_compiler

FIELDS = tuple(field.name for field in fields(Compute))


class MixedArithmeticError(ValueError):
    """A study cannot go on here as it was begun; the message says why and what to do."""


def settled(
    ledger: Ledger, plan: Plan, entries: Iterable[Entry], num_images: int, allow_mixed: bool
) -> dict[str, Compute]:
    """By cell hash, in what every arm is computed here: alone; a pack is never compiled.

    Args:
        ledger: of the study.
        plan: its arms.
        entries: what was run before, without records; of an arm of which a version before this one kept nothing, they
            are read: the first complete trial tells.
        num_images: in the training set.
        allow_mixed: take the rule of this machine, whatever there was before.

    Raises:
        MixedArithmeticError: an arm was begun in an arithmetic that this machine does not have.
    """
    here = {cell.content_hash: cell.to_train.compute_on(plan.device, num_images) for cell in plan.runnable}
    kept_of = ledger.notes(NOTE) or {}
    older = [entry for entry in entries if entry.state == "complete" and entry.cell_hash not in kept_of]
    before = {entry.cell_hash: entry.record for entry in reversed(list(with_records(ledger, older))) if _tells(entry)}
    told = {name: {field: record[field] for field in FIELDS} for name, record in before.items()}
    kept = begun_in(ledger, {name: asdict(compute) for name, compute in here.items()} | told)
    if allow_mixed:
        return here
    found = {name: Compute(**kept[name]) for name in here}
    for cell in plan.runnable:
        if (why := _lacking(found[cell.content_hash], here[cell.content_hash], plan.device)) is not None:
            raise MixedArithmeticError(
                f"{cell.name} was begun in {found[cell.content_hash]}, but {why}: go on where it was begun, or mix "
                f"with {here[cell.content_hash]} by --allow-mixed, which the tables will say"
            )
    return found


def _tells(entry: Entry) -> bool:
    return entry.record.get("packed", 1) == 1 and all(f in entry.record for f in FIELDS)


def _lacking(kept: Compute, here: Compute, device: str) -> str | None:
    """Why this machine cannot compute so."""
    if kept.dtype != here.dtype and kept.dtype == "bfloat16" and not has_bfloat16(device):
        return "this processor does not multiply bfloat16"
    if kept.compile and not here.compile and not has_cpp_compiler():
        return "there is no C++ compiler here"
    return None
