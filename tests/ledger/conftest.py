"""Every storage that a ledger may lie in. A new one enters here, by one more parameter, and inherits the contract."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

import servers
from studies.ledger.ledger import Ledger
from studies.ledger.urls import embedded


@dataclass(frozen=True)
class Place:
    """Where a study is written down; every ``ledger`` is another handle, as another process has one."""

    url: URL
    home: Path
    name: str = "study"

    def ledger(self, create: bool = False) -> Ledger:
        return Ledger(self.url, self.name, create)


@pytest.fixture(scope="session")
def server():
    with servers.postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path) -> Place:
    """An empty storage."""
    home = tmp_path / "study"
    if request.param == "sqlite":
        return Place(embedded(home / "study.db"), home)
    return Place(request.getfixturevalue("server").database(), home)
