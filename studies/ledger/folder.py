"""A results folder: what lies where in it. Everything but ``study.db`` and ``weights/`` is derived and can be rebuilt.

study.db, study.lock            the embedded storage; whoever holds the lock writes
cells.csv, runs.csv, contrasts.csv, runs.parquet, provenance.json
study.json                      the declaration and what else the tables lack, for another storage
README.md, report.html, figures/
weights/ARM.safetensors         of the first seed of every arm
checkpoints/                    of trials that run or were interrupted
pictures/ARM/                   what an arm sees
tracebacks/TRIAL.txt            of failed trials
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from studies.ledger.entries import LedgerError

if TYPE_CHECKING:
    from studies.ledger.ledger import Ledger

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")  # of two letters at least: one is a drive of Windows
LEVEL = r"(?:[a-z0-9]+=)?(?:[a-z0-9-][a-z0-9.+-]*|True|False)"
ORDINARY = re.compile(rf"{LEVEL}(?:/{LEVEL})*")
LONGEST = 120  # letters of an arm in a file name; file systems take 255 bytes with the ending


@dataclass(frozen=True)
class ResultsFolder:
    """The layout of a results folder; it needs not exist.

    Args:
        path: of the folder.
        server: the URL of the storage, where that is not the embedded one.

    Raises:
        LedgerError: the path is the URL of a storage.
    """

    path: Path
    server: str | None = field(default=None, repr=False)
    TRACEBACKS: ClassVar[str] = "tracebacks"

    def __post_init__(self) -> None:
        local(self.path)

    @property
    def name(self) -> str:
        """What people call the study."""
        return self.path.name

    @property
    def storage(self) -> Path:
        """The file of the embedded storage; its lock is called like it."""
        return self.path / "study.db"

    @property
    def parquet(self) -> Path:
        """All runs with curves and per-image outcomes."""
        return self.path / "runs.parquet"

    @property
    def provenance(self) -> Path:
        """What made the numbers."""
        return self.path / "provenance.json"

    @property
    def notes(self) -> Path:
        """The declaration, measured rounds and looks."""
        return self.path / "study.json"

    @property
    def readme(self) -> Path:
        """The answer as text."""
        return self.path / "README.md"

    @property
    def page(self) -> Path:
        """The answer as one page."""
        return self.path / "report.html"

    @property
    def figures(self) -> Path:
        """Charts, as PNG and SVG."""
        return self.path / "figures"

    @property
    def holds_study(self) -> bool:
        """Whether there is a storage to read."""
        return self.server is not None or self.storage.exists()

    @property
    def holds_results(self) -> bool:
        """Whether there are tables to read."""
        return self.table("runs").exists()

    @property
    def holds_something(self) -> bool:
        """Whether it is a results folder at all."""
        return self.holds_study or self.holds_results

    @property
    def writable(self) -> bool:
        """Whether what is derived can be written here; the folder is made where it is missing."""
        there = next(place for place in (self.path, *self.path.absolute().parents) if place.exists())
        return there.is_dir() and os.access(there, os.W_OK)

    def table(self, kind: str) -> Path:
        """``cells``, ``runs`` or ``contrasts``."""
        return self.path / f"{kind}.csv"

    def weights(self, arm: str) -> Path:
        """Where the trained weights of an arm's first seed are kept."""
        return self.path / "weights" / f"{file_name(arm)}.safetensors"

    @property
    def checkpoints(self) -> Path:
        """Where running trials keep their state until they are over."""
        return self.path / "checkpoints"

    @property
    def tracebacks(self) -> Path:
        """Where the tracebacks of failed trials lie."""
        return self.path / self.TRACEBACKS

    @property
    def signs(self) -> Path:
        """Where running trials say how far they are."""
        return self.path / ".signs"

    def pictures(self, arm: str) -> Path:
        """Where the pictures of an arm lie."""
        return self.path / "pictures" / file_name(arm)

    def ledger(self, create: bool = False) -> Ledger:
        """The storage of this study: embedded in this folder, or on a server.

        Raises:
            LedgerError: there is none, or it cannot be opened.
        """
        from studies.ledger.ledger import Ledger  # who only reads tables does not wait for Optuna
        from studies.ledger.urls import embedded, url_of

        return Ledger(url_of(self.server) if self.server else embedded(self.storage), self.name, create)


def local(path: Path) -> Path:
    """A path, if it is one.

    Raises:
        LedgerError: it is the URL of a storage, which is not shown: it may hold a password.
    """
    if found := SCHEME.match(str(path)):
        raise LedgerError(f"{found[1]}://... is the URL of a storage: results are a folder, such as --results results")
    return path


def file_name(arm: str) -> str:
    """``"tiles/learned/cls" -> "tiles_learned_cls"``; two arms never share one, and none leaves its folder.

    An arm with letters that mean something to a file system, or with ``_``, is told apart by a digest.
    """
    if ORDINARY.fullmatch(arm) and len(arm) <= LONGEST:
        return arm.replace("/", "_")
    readable = re.sub(r"[^A-Za-z0-9.+-]+", "_", arm).lstrip(".")[:LONGEST]
    return f"{readable}~{hashlib.sha256(arm.encode()).hexdigest()[:8]}"


def folders(results: Path) -> list[ResultsFolder]:
    """Every folder in ``results``, by name."""
    return [ResultsFolder(path) for path in sorted(results.glob("*/"))]
