"""What `run --log` asks for is written while the study runs, by a thread of its own, and never ends it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence

from studies.ledger.entries import Entry
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.report.tracking import WRITERS, Logged, Writer, all_of, of_entry, of_search
from studies.running.progress import Observer, Tried
from studies.trial.traces import without_secrets

Task = Callable[[], Iterable[Logged]]


class Logs(Observer):
    """Every trial that is over, to ``kinds`` of ``WRITERS``.

    One that fails, because a disk is full or a server is not there, is told of and left alone until ``close``, which
    tries once more and adds what is missing; so does the next run.

    Args:
        ledger: of the study.
        folder: where local logs lie.
        kinds: of ``WRITERS``.
        told: of what cannot be written, a line each.
    """

    def __init__(
        self, ledger: Ledger, folder: ResultsFolder, kinds: Sequence[str], told: Callable[[str], None]
    ) -> None:
        self.ledger, self.folder, self.told = ledger, folder, told
        self.kinds, self.broken = list(dict.fromkeys(kinds)), set[str]()
        self._names, self._writers = dict[str, str](), dict[str, Writer]()
        self._tasks: queue.Queue[Task | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="logs", daemon=True)
        if self.kinds:
            self._thread.start()

    def kept(self, entry: Entry) -> None:
        """Of the study itself."""
        self._tasks.put(lambda: self._named(entry))

    def searched(self, tried: Tried) -> None:
        """Of a search."""
        self._tasks.put(lambda: [of_search(tried.arm, tried.ended)])

    def close(self) -> None:
        """Add what is missing, of other drivers and earlier runs too, and wait until it is written."""
        if self.kinds:
            self._tasks.put(self._everything)
            self._tasks.put(None)
            self._thread.join()

    def _named(self, entry: Entry) -> list[Logged]:
        if entry.cell_hash not in self._names:
            self._names = {cell.content_hash: cell.name for cell in reversed(self.ledger.plan.runnable)}
        return [of_entry(self._names[entry.cell_hash], entry)] if entry.cell_hash in self._names else []

    def _everything(self) -> Iterable[Logged]:
        self.broken.clear()
        return list(all_of(self.ledger))

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                trials = list(task())
            except Exception as error:  # a storage that is gone: whoever writes results says so, and waits
                self._tell("--log", error)
                continue
            for kind in self.kinds:
                self._write(kind, trials)

    def _write(self, kind: str, trials: Sequence[Logged]) -> None:
        if kind in self.broken or not trials:
            return
        try:
            writer = self._writers.get(kind) or self._writers.setdefault(kind, WRITERS[kind](self.folder))
            for one in trials:
                writer.write(one)
        except Exception as error:  # nothing of a study depends on it
            self.broken.add(kind)
            self._writers.pop(kind, None)
            self._tell(f"--log {kind}", error)

    def _tell(self, what: str, error: Exception) -> None:
        first = next(iter(without_secrets(str(error)).splitlines()), "")
        why = f"{type(error).__name__}: {first}" if first else type(error).__name__
        self.told(f"{what}: not everything is written ({why:.300}); the study goes on, the same command adds the rest")
