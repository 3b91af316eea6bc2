"""From `results/NAME`, which git ignores, to `results/published/NAME`, which it keeps."""

from __future__ import annotations

import errno
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from studies.findings.saved import read_table
from studies.trial.provenance import source_state

LEFT_BEHIND = ("study.db*", "*.lock", "*.tmp", "weights", "pictures", "*.svg", ".*")
"""The storage, locks and weights stay on the machine that made them; pictures are in the report, and `vit-ablate
figures` draws figures in any format."""
FACT = re.compile(r"^- (commit|dirty): (.+)$", re.MULTILINE)
COMMITS = re.compile(r"[0-9a-f]{7,40}(, [0-9a-f]{7,40})*")


class ReleaseError(ValueError):
    """These results should not be published; the message names every reason and how to do it all the same."""


def release(folder: Path, to: Path, force: bool = False) -> Path:
    """Copy a finished results folder into the folder of published results; returns where it lies now.

    A study replaces what was published under its name. Benches measure one table at a time, so theirs go beside
    the tables that were published before.

    Args:
        folder: of a study, a bench or the calibration, with Markdown that says what made it.
        to: the folder of all published results.
        force: publish in spite of the reasons against it.

    Raises:
        ReleaseError: it is published already, or there are reasons against it.
    """
    target = to / folder.name
    if target.resolve() == folder.resolve():
        raise ReleaseError(f"{folder} is where published results lie: name a folder beside {to.name}/")
    reasons = list(against(folder))
    if reasons and not force:
        raise ReleaseError(f"{folder} was not published: {'; '.join(reasons)}. --force publishes it all the same")
    fresh = to / f".{folder.name}-{uuid.uuid4().hex}.tmp"
    try:
        if target.exists() and not (folder / "runs.csv").exists():
            shutil.copytree(target, fresh)
        shutil.copytree(folder, fresh, ignore=shutil.ignore_patterns(*LEFT_BEHIND), dirs_exist_ok=True)
        _replace(target, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _replace(target: Path, fresh: Path) -> None:
    """Put a folder in the place of another one; of several who do that at once, the last stands."""
    old = fresh.with_suffix(".old")
    while fresh.exists():
        try:
            with suppress(FileNotFoundError):
                target.rename(old)
            fresh.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # of another who was as fast
                raise
        finally:
            shutil.rmtree(old, ignore_errors=True)


def against(folder: Path) -> Iterator[str]:
    """Every reason not to publish a folder: what it says of its source, what is unfinished, today's source."""
    pages = sorted(folder.glob("*.md"))
    if not pages:
        yield "no page says what made it"
    for page in pages:
        facts = dict(FACT.findall(page.read_text(encoding="utf-8")))
        if not facts:
            yield f"{page.name} does not say which commit made it"
        elif doubtful := [f"{name} {value}" for name, value in facts.items() if not _clean(name, value)]:
            yield f"{page.name} was not made from a committed source tree ({', '.join(doubtful)})"
    if (folder / "runs.csv").exists():
        states = read_table(folder, "runs")["status"]
        if waiting := int(states.isin(["waiting", "running"]).sum()):
            yield f"{waiting} of {len(states)} trials are not finished"
    if source_state()["dirty"]:
        yield "the source tree has changes that are not committed, and they may have written its pages"


def _clean(name: str, value: str) -> bool:
    """Whether a line of provenance names commits and nothing beside them."""
    return (
        value == "False" if name == "dirty" else re.fullmatch(r"[0-9a-f]{7,40}(, [0-9a-f]{7,40})*", value) is not None
    )
