"""What the runner asks of whatever runs trials: processes of this machine, a cluster."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class WorkerLostError(RuntimeError):
    """The worker of a task died, several times if a scheduler tried others."""


class GivenUpError(WorkerLostError):
    """So many workers died with a task that the next one did not begin it."""


class TrialExecutor(Protocol):
    """Workers, entered before the first task and left after the last."""

    @property
    def slots(self) -> int:
        """So many tasks run at once. The runner hands over no more: what waits, waits in the ledger, where it is safe
        from the loss of any process.
        """

    @property
    def worker_died(self) -> type[Exception] | tuple[type[Exception], ...]:
        """What a future raises whose worker was killed or lost. Such a trial runs again; any other exception is its
        own.
        """

    @property
    def sight_lost(self) -> type[Exception] | tuple[type[Exception], ...]:
        """What a future raises where nobody knows what became of its task but the ledger; empty if that cannot be."""

    @property
    def commits(self) -> bool:
        """Whether workers write their results themselves, so that those are safe from the loss of this process."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start a task, now: the runner has already told the ledger that it runs. A worker that died while it had
        nothing to do is no reason to raise.
        """

    def kill(self) -> None:
        """End everything that runs, now; its futures raise ``worker_died``. For the second Ctrl-C, which waits for
        nothing.
        """

    def __enter__(self) -> TrialExecutor:
        """Nothing needs to start yet: a study may turn out to be finished."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """Leave no worker behind; after an error, wait for none."""
