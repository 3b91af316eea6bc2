"""A published file: found on this machine, or fetched once from where its authors put it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from studies.data.dataset import DataError
from studies.data.places import cache_folder, data_folders

_fetching = True


@dataclass(frozen=True)
class Published:
    """A file of a data set.

    Args:
        name: of the file.
        url: where its authors publish it.
        digest: of the file there, as pooch writes it: ``md5:...`` or ``sha256:...``.
    """

    name: str
    url: str
    digest: str


@contextmanager
def offline() -> Iterator[None]:
    """Within it nothing is fetched: what is not on this machine is missing."""
    global _fetching  # a setting of the process, as the environment is
    before, _fetching = _fetching, False
    try:
        yield
    finally:
        _fetching = before


def obtain(file: Published, dataset: str, folders: Iterable[Path] = ()) -> Path:
    """The path of a published file: in a folder of the person, in ``folders``, in the cache, or fetched into it.

    In each folder it may lie by itself or in a subfolder named like the data set. Whoever reads it checks its content.

    Raises:
        DataError: it is nowhere and cannot be fetched; says what to do without a network.
    """
    places = [*data_folders(), *folders, cache_folder()]
    for place in (inner for folder in places for inner in (folder, folder / dataset)):
        if (place / file.name).is_file():
            return place / file.name
    if not _fetching:
        raise DataError(f"{file.name} is not on this machine; it is fetched when it is first used")
    return _fetch(file, cache_folder() / dataset)


def _fetch(file: Published, folder: Path) -> Path:
    from pooch.core import retrieve
    from requests import ConnectionError, RequestException

    try:
        # pooch writes to a temporary file, checks it and only then gives it its name
        return Path(retrieve(file.url, file.digest, file.name, folder, progressbar=True))
    except (OSError, ValueError, RequestException) as error:  # no network, a full disk, another digest
        reason = "no connection" if isinstance(error, ConnectionError) else " ".join(str(error).split())[:200]
        raise DataError(
            f"{file.name} cannot be fetched ({reason}); without a network, get it elsewhere from {file.url} and name "
            f"its folder: --data-dir FOLDER or VIT_ABLATE_DATA=FOLDER"
        ) from None
