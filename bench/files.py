"""Write a file whole or not at all, and see whether one is."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE)
"""A disk that is full or broken, or too many open files."""


class MachineError(OSError):
    """The machine has no room: its disk is full or broken, or too many files are open. No work was at fault."""


def machine_error(error: BaseException | None) -> MachineError | None:
    """What the machine lacks, if that is why this was raised, directly or by way of other errors."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return MachineError(error.errno, error.strerror or os.strerror(error.errno), error.filename)
        error = error.__cause__ or error.__context__
    return None


def write(folder: Path, name: str, save: Callable[[Path], Any]) -> Path:
    """Write a file by way of a temporary one beside it, so that neither a reader nor a crash sees half of it.

    Many may write the same name at once: each has a temporary file of its own, and the last to finish stands.

    Args:
        folder: made where it is missing.
        name: of the file in it.
        save: writes the path it is given, which ends like ``name``, for those who go by the ending.

    Returns:
        The file's path.

    Raises:
        Exception: whatever ``save`` raises; what stood there before still stands, and the temporary file is gone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".tmp-{uuid.uuid4().hex}-{name}"
    try:
        save(temporary)
        _to_disk(temporary)
        temporary.replace(folder / name)
    finally:
        temporary.unlink(missing_ok=True)
    return folder / name


def write_text(folder: Path, name: str, text: str) -> Path:
    """``write`` for text: UTF-8, newlines as they are."""
    return write(folder, name, lambda path: path.write_text(text, encoding="utf-8", newline=""))


def _to_disk(path: Path) -> None:
    """Else a power cut could keep the new name and lose the content."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def ends_in_a_line(path: Path) -> bool:
    """Whether a table of ours is whole; one that was copied in part ends anywhere."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 1, 0))
        return file.read() == b"\n"
