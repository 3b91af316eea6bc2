"""`new`."""

from __future__ import annotations

import re
from pathlib import Path

from bench.files import write_text
from studies.cli.console import UsageError, say
from studies.cli.declaring import is_file
from studies.design.start import START


def begin_study(file: Path) -> None:
    """Write a commented study that runs as it is.

    Raises:
        UsageError: not the name of a Python file, or one that is there already.
    """
    if not is_file(file.name):
        raise UsageError(f"{file} must be called like a Python file, for example {file.stem or 'my_study'}.py")
    if file.exists():
        raise UsageError(f"{file} is there already: name another file, or `vit-ablate plan {file}`")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("._-")[:60] or "mine"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file.parent, file.name, START.format(name=name, file=file))
    say(f"{file}: a study that runs as it is; `vit-ablate plan {file}` shows it")
