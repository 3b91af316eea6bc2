"""Trials on the workers of a Dask cluster, one at a time in each.

The scheduler holds no backlog: the runner hands over no more than there are workers, what waits is in the ledger. A
worker writes its results itself (``committing``), so the scheduler and this process may be lost and nothing is. After a
scheduler that came back, futures of before are of no use: what their workers did is in the ledger, or will be.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from studies.running.executor import WorkerLostError
from studies.trial.plugins import Plugin, loaded, run

if TYPE_CHECKING:
    import distributed

P = ParamSpec("P")
T = TypeVar("T")
WAIT_SECONDS = 30.0
"""For a first worker, and for a scheduler to answer."""
AWAY_SECONDS = 600.0
"""For a scheduler that was lost to come back."""
LOOK_SECONDS = 1.0
"""Between two looks at which workers there are: the scheduler tells of every one. Asked before every trial, that took
nine tenths of the driver's time (``bench/test_scale.py``)."""
GPU = "GPU"
"""What a worker calls one of its GPUs: ``dask worker ... --resources GPU=1``."""


class ClusterError(RuntimeError):
    """A cluster cannot be reached, or has no workers that will do; the message says what to start."""


class SightLostError(RuntimeError):
    """The scheduler was lost; what became of the task is for the ledger to say."""


class ClusterExecutor:
    """A ``TrialExecutor`` of the workers of a Dask scheduler, however many there are at any moment.

    Args:
        address: of the scheduler, such as ``tcp://host:8786``.
        device: of the plan; of a worker with ``--resources GPU=N``, N trials use CUDA at once.
        trials_per_gpu: as many small ones share one GPU.
        told: of waiting for a scheduler, and of workers that take no trial.
        fit: asked in every worker: why it takes no trial; None where it does.

    Raises:
        ClusterError: no scheduler answers, the package is missing, or no worker can be had.
    """

    worker_died = WorkerLostError
    sight_lost = SightLostError
    commits = True

    def __init__(
        self,
        address: str,
        device: str = "cpu",
        trials_per_gpu: int = 1,
        told: Callable[[str], None] = lambda _: None,
        fit: Callable[[], str | None] | None = None,
    ) -> None:
        self.address, self.told = address, told
        self.resources = {GPU: 1 / trials_per_gpu} if device.startswith("cuda") else {}
        self.fit, self._unfit = fit, dict[str, str | None]()  # by the address of a worker, why
        self._there, self._looked = list[dict[str, Any]](), -math.inf
        self._running: dict[distributed.Future, Future[Any]] = {}
        self._guard, self._away = threading.Lock(), False
        self._client = self._connected(WAIT_SECONDS)
        self._wait_for_worker()

    @property
    def slots(self) -> int:
        """One a worker, or what its GPUs take; none while the scheduler is away.

        Raises:
            ClusterError: it was away for too long.
        """
        if self._client.status == "closed":  # Dask's own tries to reach it again have ended
            self._reached()
        away = self._client.status != "running"
        if away and not self._away:
            self.told(f"the scheduler {self.address} is away; what its workers have begun goes on")
        self._away = away
        return sum(self._takes(worker) for worker in self._workers())

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``fn`` on some worker. Where the scheduler is away it is waited for.

        Raises:
            ClusterError: it did not come back.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        fit = [address for address, why in self._unfit.items() if why is None]
        task = self._reached().submit(
            _alone,
            loaded(),
            fn,
            args,
            kwargs,
            pure=False,
            retries=0,
            resources=self.resources,
            **({"workers": fit, "allow_other_workers": True} if fit else {}),  # others if all of those are gone
        )
        with self._guard:
            self._running[task] = future
        task.add_done_callback(self._ended)
        return future

    def kill(self) -> None:
        """Give up what runs: nobody waits for it here, its workers finish what they have begun."""
        with self._guard:
            given_up = list(self._running.values())
            self._running.clear()
        for future in given_up:
            future.set_exception(SightLostError("given up"))

    def __enter__(self) -> Self:
        """Workers are there already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Workers are not ours to end."""
        self._client.close(timeout=5)

    def _ended(self, task: distributed.Future) -> None:
        with self._guard:
            future = self._running.pop(task, None)
        if future is None:
            return
        import distributed

        try:
            if task.status == "finished":
                future.set_result(task.result(timeout=WAIT_SECONDS))
                return
            error = task.exception(timeout=WAIT_SECONDS) if task.status == "error" else None
        except Exception as lost:  # the link was cut between the news and the result
            future.set_exception(SightLostError(type(lost).__name__))
            return
        if isinstance(error, distributed.KilledWorker):
            future.set_exception(WorkerLostError(str(error).splitlines()[0]))
        else:
            future.set_exception(error or SightLostError(task.status))

    def _workers(self) -> list[dict[str, Any]]:
        if self._client.status != "running":
            return []
        if self._there and time.monotonic() - self._looked < LOOK_SECONDS:
            return self._there
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        self._ask([address for address in workers if address not in self._unfit])
        self._unfit = {address: why for address, why in self._unfit.items() if address in workers}
        self._there = [worker for address, worker in workers.items() if self._unfit.get(address) is None]
        self._looked = time.monotonic()
        return self._there

    def _ask(self, new: list[str]) -> None:
        """Whether workers that have joined can take trials; one that gives no answer is asked again."""
        if self.fit is None or not new:
            return
        answers = self._client.run(self.fit, workers=new, on_error="ignore")
        self._unfit |= answers
        for address, why in answers.items():
            if why is not None:
                self.told(f"the worker {address} takes no trial: {why}")

    def _takes(self, worker: dict[str, Any]) -> int:
        if not self.resources:
            return 1
        return int(worker.get("resources", {}).get(GPU, 0) / self.resources[GPU])

    def _connected(self, seconds: float) -> distributed.Client:
        try:
            import distributed
        except ImportError:
            raise ClusterError("--executor needs Dask: pip install 'vit-ablate[dask]'") from None
        try:
            return distributed.Client(self.address, timeout=seconds, name="vit-ablate", set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at {self.address} ({str(error).splitlines()[0]}); start one with "
                "`dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`"
            ) from None

    def _reached(self) -> distributed.Client:
        """The client, anew where the scheduler was lost."""
        ends, pause = time.monotonic() + AWAY_SECONDS, 1.0
        while self._client.status != "running":
            self.told(f"no scheduler at {self.address}; trying again in {pause:.0f} s")
            time.sleep(pause)
            try:
                fresh = self._connected(5.0)
            except ClusterError:
                if time.monotonic() > ends:
                    raise
                pause = min(2 * pause, 30.0)
            else:
                self._client.close(timeout=1)
                self._client = fresh
                self._wait_for_worker()
        return self._client

    def _wait_for_worker(self) -> None:
        ends = time.monotonic() + WAIT_SECONDS
        while not self.slots:
            if time.monotonic() > ends:
                what = f"--nthreads 1 --resources {GPU}=1" if self.resources else "--nthreads 1"
                if any(self._unfit.values()):
                    raise ClusterError("no worker can take a trial: " + next(filter(None, self._unfit.values())))
                raise ClusterError(
                    f"the scheduler {self.address} has {len(self._workers())} workers, none of which takes these "
                    f"trials; start some with `dask worker {self.address} {what}`"
                )
            time.sleep(0.2)


_ONE = threading.Lock()
"""A worker may have several threads, but torch's random state is one for all: trials of a process take turns."""
_THERE: list[Plugin] = []


def _alone(plugins: Sequence[Plugin], fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    """In a worker: as in a process of this machine, one torch thread, and the plug-ins of whoever asks."""
    import torch

    with _ONE:
        for plugin in plugins:
            if plugin not in _THERE:
                run(plugin)
                _THERE.append(plugin)
        if torch.get_num_threads() != 1:
            torch.set_num_threads(1)  # the bits of a trial depend on it
        return fn(*args, **kwargs)
