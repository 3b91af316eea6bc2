"""Options of a search: how many trials, sampled and pruned by what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from studies.cli.console import UsageError

Tune = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="First tune every arm by N Optuna trials on validation, then run it both ways; "
        "of a study that searches (pareto), how many configurations it trains.",
        show_default="pareto: 48",
    ),
]
Sampler = Annotated[
    str | None, typer.Option(metavar="CLASS", help="An Optuna sampler by dotted name.", show_default="TPE")
]
Pruner = Annotated[
    str | None, typer.Option(metavar="CLASS", help="An Optuna pruner by dotted name.", show_default="halving")
]
MaxParams = Annotated[str | None, typer.Option(metavar="N", help="Of a search: parameters at most, 50k.")]
MaxMemory = Annotated[str | None, typer.Option(metavar="SIZE", help="Of a search: GPU memory at most, 200MiB.")]
MinThroughput = Annotated[
    str | None, typer.Option(metavar="N", help="Of a search: inference images a second of one thread at least, 20000.")
]


@dataclass(frozen=True)
class Tuning:
    """What a run is to search before its seeds.

    Raises:
        UsageError: by `check`, a budget of nothing, or a sampler without a budget.
    """

    trials: int | None = None
    sampler: str | None = None
    pruner: str | None = None
    max_params: str | None = None
    max_memory: str | None = None
    min_throughput: str | None = None

    def check(self) -> None:
        """Refuse what cannot be meant whatever the study is."""
        if self.trials is not None and self.trials < 1:
            raise UsageError(f"--tune {self.trials}: tune every arm by one trial at least, or leave it out")

    def check_fits(self, objectives: bool) -> None:
        """Refuse what this study does not take: limits without a search, a sampler without a budget."""
        for name in ("max_params", "max_memory", "min_throughput") if not objectives else ("pruner",):
            if (value := getattr(self, name)) is not None:
                option = f"--{name.replace('_', '-')} {value}"
                why = "nothing is pruned where there are several objectives" if objectives else "goes with `run pareto`"
                raise UsageError(f"{option}: {why}; leave it out")
        for name in ("sampler", "pruner") if not objectives else ():
            if self.trials is None and (value := getattr(self, name)) is not None:
                raise UsageError(f"--{name} {value} goes with --tune N, the trials of every arm")
