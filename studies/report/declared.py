"""What figures need to know of a study: less than a plan, so that a results folder without its storage has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from studies.statistics.question import Question


class Declared(Protocol):
    """What a figure needs to know of a study."""

    @property
    def study(self) -> str:
        """Its name."""

    @property
    def dataset(self) -> str:
        """What it was trained on."""

    @property
    def factors(self) -> Mapping[str, Sequence[Any]]:
        """Their levels by name."""

    @property
    def baseline(self) -> str:
        """An arm."""

    @property
    def compares(self) -> Question:
        """The margin."""
