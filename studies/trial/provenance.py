"""Where a number comes from: commit, versions, machine, command."""

from __future__ import annotations

import hashlib
import platform
import re
import shlex
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

SOURCES = ("vit", "studies", "bench", "noxfile.py", "pyproject.toml", "constraints.txt")
ARITHMETIC = ("vit", "studies/training", "studies/data")
REPOSITORY = Path(__file__).resolve().parents[2]


@cache
def source_state() -> dict[str, Any]:
    """Commit of the source, and whether it was changed since (results do not count); None outside git."""
    if _git("ls-files", "--error-unmatch", Path(__file__).name, folder=Path(__file__).parent) is None:
        return {"commit": None, "dirty": None}  # installed inside somebody else's repository, or none
    commit = _git("rev-parse", "--short=12", "HEAD")
    changes = _git("status", "--porcelain", "--", *SOURCES)
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


@cache
def arithmetic() -> str:
    """16 hex digits of the source text that decides the bits of a training: what `commit` does not tell of a change."""
    found = hashlib.sha256()
    for path in sorted(path for part in ARITHMETIC for path in (REPOSITORY / part).rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


@cache
def versions() -> dict[str, str]:
    """Of what decides a result."""
    return {"torch": torch.__version__, "python": platform.python_version(), "vit_ablate": package_version()}


def package_version() -> str:
    """Of this project."""
    try:
        return version("vit-ablate")
    except PackageNotFoundError:
        return "not installed"


def command() -> str:
    """What was typed, passwords masked, without the folders of the program and of the results."""
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    return mask(anywhere(shlex.join(words)))


def anywhere(command: str) -> str:
    """A command without ``--results FOLDER``: where results lay is no part of what made them."""
    return re.sub(r"""\s--results(=|\s+)('[^']*'|\S+)""", "", command)


def mask(text: str) -> str:
    """Replace the password in every ``scheme://user:password@host`` by ``***``."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", text)


def _git(*arguments: str, folder: Path | None = None) -> str | None:
    try:
        return subprocess.run(
            ["git", "--no-optional-locks", *arguments],
            cwd=folder or REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
