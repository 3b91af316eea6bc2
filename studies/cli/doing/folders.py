"""Results folders by what is typed for them."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

from studies.cli.console import UsageError
from studies.cli.declaring import is_file
from studies.cli.devices import Device
from studies.cli.images import STORED
from studies.cli.known import known
from studies.ledger.folder import ResultsFolder, folders

PUBLISHED = "published"
"""Below the folder of results: what git keeps."""
CONTENT = "~[0-9a-f]{8}"
"""Behind the name of a study of one's own: see ``studies.design.study.named_by_content``."""
VARIANT = r"(?:-quick)?(?:\+.*)?"
"""Of a study by ``--quick`` and ``--set``; a file stands for any of them, if only one was run."""


def folder_of(results: Path, study: str, storage: str | None = None) -> ResultsFolder:
    """The results folder of a study: a path, its full name or its beginning; published results where it was not run.

    On a server it is one of the studies there, and its folder needs not exist.

    Raises:
        UsageError: there is none, or more than one.
    """
    if storage is not None:
        return _on_server(results, study, storage)
    if study and (here := ResultsFolder(Path(study))).holds_something:
        return here
    variants = [""]
    if is_file(study):
        from studies.cli.doing.planned import study_called  # loads torch

        study, variants = study_called(study).name, ["", VARIANT]
    places = [f"{study}-{data}-{place}" for data in known().names["data set"] for place in Device]
    names = (study, *places)
    images = "|".join([STORED, *map(re.escape, known().names["data set"])])
    own, end = f"{re.escape(study)}({CONTENT})?", f"-({images})-({'|'.join(Device)})"
    for variant, root in itertools.product(variants, (results, results / PUBLISHED)):
        stored = [path.name for path in root.glob("*") if re.fullmatch(own + variant + end, path.name)]
        named = [ResultsFolder(root / name) for name in dict.fromkeys((*names, *sorted(stored)))]
        found = [folder for folder in named if folder.holds_something]
        if found:
            break
    if len(found) == 1:
        return found[0]
    if not found and os.sep in study and Path(study).is_dir():
        raise UsageError(f"{study} is no results folder: it holds neither study.db nor runs.csv")
    choices = [folder for root in (results, results / PUBLISHED) for folder in folders(root) if folder.holds_something]
    which = "several" if found else "no"
    listed = ", ".join(dict.fromkeys(folder.name for folder in found or choices)) or "none"
    raise UsageError(f"{which} studies called {study!r} in {results}; choices: {listed}")


def _on_server(results: Path, study: str, storage: str) -> ResultsFolder:
    from studies.ledger.tally import studies_on  # loads SQLAlchemy

    there = studies_on(storage)
    found = [study] if study in there else [name for name in there if name.startswith(f"{study}-")]
    if len(found) != 1:
        which, listed = "several" if found else "no", ", ".join(found or there) or "none"
        raise UsageError(f"{which} studies called {study!r} in the storage; choices: {listed}")
    return ResultsFolder(results / found[0], storage)
