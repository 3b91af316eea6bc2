"""Where data lie on this machine: folders that a person names, and the cache of what was fetched or decoded."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

DATA = "VIT_ABLATE_DATA"
"""Names folders of published files, as PATH does; ``--data-dir`` comes before them. Workers inherit it."""
CACHE = "VIT_ABLATE_CACHE"
"""Names the cache folder; on several machines it may be one shared folder."""


def data_folders() -> list[Path]:
    """Folders in which published files are looked for, in this order."""
    return [Path(text).expanduser() for text in os.environ.get(DATA, "").split(os.pathsep) if text]


def look_first_in(folder: Path) -> None:
    """Put a folder before the others, for this process and the workers it starts."""
    os.environ[DATA] = os.pathsep.join([str(folder.absolute()), *filter(None, [os.environ.get(DATA)])])


def cache_folder() -> Path:
    """What was fetched or decoded lies below it; it need not exist, nor be writable once it is filled."""
    named = os.environ.get(CACHE)
    return Path(named).expanduser() if named else user_cache_path("vit-ablate", appauthor=False)
