"""Options of `run` that say what is done again, and as what."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import typer

from studies.cli.console import UsageError
from studies.ledger.entries import FAILURES

RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Run failed trials again.")]
Retry = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND", help=f"Run trials again that failed so: {', '.join(FAILURES)}; repeatable."),
]
Retries = Annotated[
    int, typer.Option(min=0, max=1000, help="How often a trial runs again by itself whose worker died.")
]
AllowMixed = Annotated[
    bool, typer.Option("--allow-mixed", help="Go on in the arithmetic of this machine, though it was begun in another.")
]
MeasureAgain = Annotated[
    bool, typer.Option("--measure-again", help="Measure speed and memory anew, as after other work ran beside it.")
]


def failures(all_of_them: bool, kinds: Collection[str]) -> Collection[str]:
    """Kinds of failures of which trials are run again.

    Raises:
        UsageError: no such kind.
    """
    for kind in kinds:
        if kind not in FAILURES:
            raise UsageError(f"--retry {kind}: choices: {', '.join(FAILURES)}")
    return FAILURES if all_of_them else kinds
