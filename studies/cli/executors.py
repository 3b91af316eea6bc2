"""Where trials run: what is typed for it."""

from __future__ import annotations

from dataclasses import dataclass

from studies.cli.console import UsageError

LOCAL = "local"


@dataclass(frozen=True)
class Place:
    """Processes of this machine, or the workers of a Dask scheduler.

    Args:
        executor: ``local``, or the address of a scheduler.
        workers: processes of this machine, if a number was typed.
        trials_per_gpu: that share a GPU of a Dask worker.
    """

    executor: str = LOCAL
    workers: int | None = None
    trials_per_gpu: int = 1

    @property
    def is_local(self) -> bool:
        """Whether trials run on this machine alone."""
        return self.executor == LOCAL

    def check(self, storage: str | None) -> None:
        """Refuse what cannot be meant.

        Raises:
            UsageError: no address, a cluster without a storage that its workers reach, or words that exclude another.
        """
        if self.is_local:
            if self.trials_per_gpu != 1:
                raise UsageError("--trials-per-gpu goes with --executor ADDRESS: here, --pack trains several on a GPU")
            return
        if "://" not in self.executor:
            raise UsageError(
                f"--executor {self.executor!r} is no address; choices: {LOCAL}, or that of a Dask scheduler, "
                "tcp://HOST:8786"
            )
        if storage is None:
            raise UsageError(
                f"--executor {self.executor} needs --storage postgresql+psycopg://...: workers write what they "
                "trained themselves, and a file serves the drivers of one machine only"
            )
        if self.workers is not None:
            raise UsageError(
                f"--workers {self.workers} goes with --executor {LOCAL}: a cluster has those that joined it"
            )


HERE = Place()
