"""How a study is run: what is typed for `run` beside what it has in common with `plan`."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

import typer

from studies.cli.again import AllowMixed, MeasureAgain, Retries, Retry, RetryFailed, failures
from studies.cli.executors import Place
from studies.cli.logs import Log, logs_named
from studies.cli.options import (
    CHECKPOINT_SECONDS,
    Asked,
    Executor,
    Growing,
    MaxSeeds,
    Pack,
    Storage,
    TrialsPerGpu,
    UntilDecided,
    pack_size,
)
from studies.cli.tuning import MaxMemory, MaxParams, MinThroughput, Pruner, Sampler, Tune, Tuning

Budget = Annotated[
    str | None, typer.Option(metavar="TIME", help="Begin no block of seeds that would end later: 90s, 30min, 2h.")
]
LookOnce = Annotated[
    bool, typer.Option("--look-once", help="Plan one look, at the last seed: earlier tables decide nothing.")
]
TrialTimeout = Annotated[
    float | None, typer.Option(min=1, metavar="SECONDS", help="End a trial, or a pack, that takes longer, as failed.")
]
CheckpointEvery = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="Keep the state of a running trial so often.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Train all anew where a folder has tables only, and replace them.")
]


@dataclass(frozen=True)
class Way:
    """Every field is an option, in this order; what belongs together is handed on as one.

    Raises:
        UsageError: by `check`, what cannot be meant, alone or together.
    """

    pack: Pack = "auto"
    retry_failed: RetryFailed = False
    retry: Retry = None
    retries: Retries = 2
    until_decided: UntilDecided = False
    max_seeds: MaxSeeds = None
    budget: Budget = None
    look_once: LookOnce = False
    trial_timeout: TrialTimeout = None
    checkpoint_every: CheckpointEvery = CHECKPOINT_SECONDS
    tune: Tune = None
    sampler: Sampler = None
    pruner: Pruner = None
    max_params: MaxParams = None
    max_memory: MaxMemory = None
    min_throughput: MinThroughput = None
    storage: Storage = None
    executor: Executor = "local"
    trials_per_gpu: TrialsPerGpu = 1
    overwrite: Overwrite = False
    allow_mixed: AllowMixed = False
    measure_again: MeasureAgain = False
    log: Log = None

    def check(self, asked: Asked) -> None:
        """Refuse it before anything is loaded."""
        _ = self.together
        self.growing.check(asked.seeds, asked.first_seed)
        _ = self.again
        self.tuning.check()
        self.place(asked).check(self.storage)
        _ = self.logs

    @property
    def together(self) -> int | None:
        """How many trials train as one program; None for what suits them."""
        return pack_size(self.pack)

    @property
    def again(self) -> Collection[str]:
        """Kinds of failures of which trials run again."""
        return failures(self.retry_failed, self.retry or [])

    @property
    def growing(self) -> Growing:
        """The number of seeds, where it is not known before."""
        return Growing(self.until_decided, self.max_seeds, self.budget, self.look_once)

    @property
    def tuning(self) -> Tuning:
        """What is searched before the seeds."""
        limits = (self.max_params, self.max_memory, self.min_throughput)
        return Tuning(self.tune, self.sampler, self.pruner, *limits)

    @property
    def limit(self) -> float:
        """Seconds that a trial may take."""
        return math.inf if self.trial_timeout is None else self.trial_timeout

    @property
    def logs(self) -> list[str]:
        """What else is told of every trial."""
        return logs_named(self.log or [])

    def place(self, asked: Asked) -> Place:
        """Where trials run."""
        return Place(self.executor, asked.workers, self.trials_per_gpu)
