"""`merge`."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from studies.cli.console import UsageError, err, printable, say
from studies.cli.doing.folders import folder_of
from studies.cli.doing.showing import show
from studies.findings.merging import Joint, joined
from studies.findings.parts import Part, part_of
from studies.findings.words import plural
from studies.ledger.entries import LedgerError
from studies.ledger.folder import ResultsFolder
from studies.ledger.portable import adopt


def merge_results(a: str, b: str, to: Path | None, results: Path, storage: str | None, allow_mixed: bool) -> None:
    """Join, write the tables anew, and say how the study goes on.

    Raises:
        UsageError: one of the two cannot be written to, or both are one.
        MergeError: they cannot be joined.
    """
    first, second = (place(text, results, storage) for text in (a, b))
    if (first.path.resolve(), first.server) == (second.path.resolve(), second.server):
        raise UsageError(f"{a} and {b} are one and the same")
    if to is None and not first.holds_study:
        raise UsageError(f"{first.path} has tables alone, to which nothing can be added: name a folder with --to")
    joint = joined(*parts(first, second), allow_mixed)
    for line in joint.differing:
        err.print(printable(line), soft_wrap=True)
    target = first if to is None else ResultsFolder(to / joint.plan.folder)
    written(joint, target, anew=to is not None)
    for folder in (first, second) if to is not None else (second,):
        copy_weights(folder, target)
    counts = f"{plural(len(joint.theirs), 'trial')} of {second.path} joined {plural(len(joint.ours), 'trial')} of"
    say(f"{counts} {first.path}" + (f"; {joint.equal} are in both, equal bit for bit" if joint.equal else ""))
    show(target.ledger(), target)
    say(f"merged: {target.path}; `vit-ablate run ... --results {shlex.quote(str(target.path.parent))}` goes on with it")


def parts(first: ResultsFolder, second: ResultsFolder) -> tuple[Part, Part]:
    """Each with its declaration; tables that did not keep theirs are read by that of the other."""
    if keeps_plan(second) and not keeps_plan(first):
        b = part_of(second)
        return part_of(first, b.plan), b
    a = part_of(first)
    return a, part_of(second, a.plan)


def keeps_plan(folder: ResultsFolder) -> bool:
    """Whether it says what was declared."""
    return folder.holds_study or folder.notes.exists()


def place(text: str, results: Path, storage: str | None) -> ResultsFolder:
    """A folder, or a study by its name: of the storage if one was named, else of the results."""
    here = ResultsFolder(Path(text))
    return here if here.holds_something else folder_of(results, text, storage)


def written(joint: Joint, target: ResultsFolder, anew: bool) -> None:
    """Into the storage of A, or a new one, which holds either nothing or everything."""
    if anew and target.holds_something and not is_empty(target):
        raise UsageError(f"{target.path} holds a study already: name another folder with --to")
    ledger = target.ledger(create=True)
    adopt(ledger, joint.notes, [*joint.ours, *joint.theirs] if anew else joint.theirs)
    ledger.add_measurement(joint.measured)
    ledger.plan = joint.plan


def is_empty(folder: ResultsFolder) -> bool:
    """Whether nothing but a storage without a plan is there, as of a merge that was interrupted."""
    try:
        _ = folder.ledger().plan
    except LedgerError:
        return not folder.holds_results
    return False


def copy_weights(source: ResultsFolder, target: ResultsFolder) -> None:
    """Weights of arms that have none yet."""
    for file in (source.path / "weights").glob("*.safetensors"):
        copy = target.path / "weights" / file.name
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
