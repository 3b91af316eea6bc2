"""Disks and people with less than the tests' own: a small file system, and somebody who is not root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of its own, of ``size`` such as 3m; skips where none may be mounted."""
    place.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place]).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def write_protect(disk: Path) -> None:
    """From here on nobody writes to a small disk, root neither."""
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)


def fill(place: Path, but: int = 0) -> Path:
    """Until nothing more fits than ``but`` bytes; the file that does it."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            os.truncate(filler, max(0, filler.stat().st_size - but))
            return filler
    raise AssertionError("the disk has no end")


@contextmanager
def not_root(*owned: Path) -> Iterator[None]:
    """As somebody who owns these and is not root."""
    if os.geteuid():
        yield
        return
    for path in owned:
        os.chown(path, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
