"""Where a number comes from: commit, versions, machine, command."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import torch

SOURCES = ("vit", "studies", "bench", "noxfile.py", "pyproject.toml", "constraints.txt")
REPOSITORY = Path(__file__).resolve().parent.parent


@cache
def source_state() -> dict[str, Any]:
    """Commit of the source, and whether it was changed since (results do not count); None outside git."""
    if _git("ls-files", "--error-unmatch", Path(__file__).name, folder=Path(__file__).parent) is None:
        return {"commit": None, "dirty": None}  # installed inside somebody else's repository, or none
    commit = _git("rev-parse", "--short=12", "HEAD")
    changes = _git("status", "--porcelain", "--", *SOURCES)
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


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


@cache
def machine(device: str) -> dict[str, Any]:
    """The processor, memory and accelerator that ran it; no host name."""
    facts: dict[str, Any] = {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if device.startswith("cuda"):
        facts["gpu"] = torch.cuda.get_device_name(device)
    return facts


def command() -> str:
    """What was typed, passwords masked, without the folder of the program."""
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    return mask(shlex.join(words))


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


def _cpu_name() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()
