"""Which trials train as one program: a part of the plan, written down before anything runs.

Trials go together if they have one model and one recipe but for learning rate, weight decay and replica. The
size of a pack is part of how its products are rounded, so the same command makes the same packs, whatever was
interrupted, and no clock has a say. On a GPU small models go together until a step has ``FILLS`` operations, at most
``MOST``. On a CPU, too, a narrow model's step is more walking from operator to operator than arithmetic: there up to
``MOST_ON_CPU`` go together, where that was measured to gain (``bench/test_packs.py``): on a processor with AVX2 and
without AMX, steps of at most ``WORK_ON_CPU``, and as long as there are packs enough for many workers.
"""

from __future__ import annotations

import warnings
from collections import defaultdict, deque
from collections.abc import Collection, Iterable
from dataclasses import replace

import torch

from bench.machine import capabilities
from studies.data import load
from studies.design.plan import Cell, Trial
from studies.ledger.ledger import Ledger
from studies.running.estimate import training_flop
from studies.running.queue import Queued
from studies.training.compute import work_of_a_layer
from studies.training.packed import shared_part
from vit import ViT
from vit.stacked import stack

MOST = 32
FILLS = 4e10
"""Floating-point operations of a training step. Reckoned: replayed from a CUDA graph, the some 170 kernels of a small
model's step take about half a millisecond for their launches alone. On an H100 8 of the preset `compact` take 1.1
times as long as one and 32 take 2.3 times on tiles, 0.9 and 1.5 times on strips (bench-h100/stacked.md)."""
MOST_ON_CPU = 8
LEAST_ON_CPU = 4
"""Packs of two gain at most 1.07 times, and lose a tenth on tiles."""
WORK_ON_CPU = {"float32": 3_000_000, "bfloat16": 9_000_000}
"""Of ``work_of_a_layer``, packs of 8. float32: the preset `compact` gains 1.5 times on strips (650,000) and 1.3 on
tiles (2,200,000) of an AMD Zen 4, which at 8,900,000 loses a tenth; `tiny` 1.4 to 1.6 and 1.0 to 1.1 times on a Zen 5,
1.8 and 1.1 to 1.2 times on a Zen 3, without AVX-512. bfloat16 gains 1.2 times at 8,900,000 (Zen 4). The
Zen 4's: results/published/bench-cpu/packs.md. Whole studies in packs were slower on an Intel Xeon with AMX."""
FEWEST_STEPS = 200
"""Shorter trainings have nothing to gain."""
LEAST_PACKS = 16
"""Of the trials that wait: fewer would leave workers idle at the end."""
NOTE = "packs"


class Packing:
    """The packs of a study.

    Args:
        device: where they train.
        asked: so many wherever possible; None for the rule of this module.
    """

    def __init__(self, device: str, asked: int | None) -> None:
        self.device, self.asked, self.asked_before = device, asked, asked
        self.packs: dict[str, list[Trial]] = {}  # by the hash of every member
        self.alone: dict[str, str | None] = {}  # by shape, why it cannot be stacked
        self.waiting = MOST_ON_CPU * LEAST_PACKS
        self.any = False

    def arrange(self, ledger: Ledger, known: Iterable[Queued]) -> None:
        """Give every trial that waits its pack. Packs that were made before stay, unless another size is asked for."""
        known = list(known)
        trials = {queued.trial.content_hash: queued.trial for queued in known}
        noted = ledger.notes(NOTE) or {"asked": self.asked, "packs": []}
        self.asked_before = noted["asked"] if self.asked is None else self.asked
        kept = noted["packs"] if self.asked_before == noted["asked"] else []
        kept = [names for names in kept if all(name in trials for name in names)]
        self.packs = {name: pack for names in kept for pack in [[trials[name] for name in names]] for name in names}
        waiting = [queued.trial for queued in known if queued.entry.state == "waiting"]
        new = [trial for trial in waiting if trial.content_hash not in self.packs]
        self.waiting = len(new)
        for pack in self._made(new):
            self._set(pack)
        self._note(ledger)

    def of(self, trial: Trial) -> list[Trial]:
        """All that train together with a trial, itself included, in their order."""
        return self.packs.get(trial.content_hash, [trial])

    def ordered(self, waiting: deque[Queued]) -> deque[Queued]:
        """What waits, pack by pack: those with the most to do first, so that workers end together."""
        if not self.any:
            return waiting
        packs: dict[str, tuple[float, int]] = {}

        def first(place: int, queued: Queued) -> tuple[float, int]:
            pack = self.of(queued.trial)
            name = pack[0].content_hash
            if name not in packs:
                packs[name] = -_work(pack), place
            return packs[name]

        return deque(queued for _, queued in sorted(enumerate(waiting), key=lambda item: first(*item)))

    def take(self, queue: deque[Queued]) -> list[Queued]:
        """The first of what waits, in order, with all that wait of its pack; they wait no more."""
        places = {trial.content_hash: place for place, trial in enumerate(self.of(queue[0].trial))}
        taken = []
        while queue and queue[0].trial.content_hash in places:
            taken.append(queue.popleft())
        return sorted(taken, key=lambda queued: places[queued.trial.content_hash])

    def halve(self, ledger: Ledger, trial: Trial) -> int:
        """The pack of a trial was too much: two halves from now on. Returns the size of the larger."""
        pack = self.of(trial)
        half = (len(pack) + 1) // 2
        for part in (pack[:half], pack[half:]):
            self._set(part)
        self._note(ledger)
        return half

    def size(self, cell: Cell) -> int:
        """At most so many trials of this cell's shape together."""
        if cell.recipe.compile is True:
            return 1
        wanted = self._rule(cell) if self.asked is None else self.asked
        if wanted > 1 and (key := shape_key(cell)) not in self.alone:
            self.alone[key] = alone(cell)
            if self.alone[key]:
                warnings.warn(f"{cell.name}: every trial trains alone: {self.alone[key]}", RuntimeWarning, stacklevel=2)
        return 1 if wanted > 1 and self.alone[key] else wanted

    def _rule(self, cell: Cell) -> int:
        if self.device == "cpu":
            size = min(MOST_ON_CPU, self.waiting // LEAST_PACKS)
            return size if size >= LEAST_ON_CPU and gains_on_cpu(cell) else 1
        if not self.device.startswith("cuda"):
            return 1
        step = cell.recipe.batch_size * training_flop(cell.config)
        return max(1, min(MOST, int(FILLS / step)))

    def _made(self, trials: Collection[Trial]) -> Iterable[list[Trial]]:
        """New packs, filled in the order of the plan."""
        shapes: dict[str, list[Trial]] = defaultdict(list)
        keys: dict[str, str] = {}
        for trial in trials:
            name = trial.cell.name
            keys[name] = keys.get(name) or shape_key(trial.cell)
            shapes[keys[name]].append(trial)
        for alike in shapes.values():
            size = self.size(alike[0].cell)
            for start in range(0, len(alike), size):
                # neighbours of one recipe share an optimizer
                yield sorted(alike[start : start + size], key=lambda trial: (trial.cell.name, trial.seed))

    def _set(self, pack: list[Trial]) -> None:
        for trial in pack:
            self.packs[trial.content_hash] = pack

    def _note(self, ledger: Ledger) -> None:
        """Unless all trials always trained alone."""
        self.any = any(len(pack) > 1 for pack in self.packs.values())
        noted = ledger.notes(NOTE)
        packs = {id(pack): [trial.content_hash for trial in pack] for pack in self.packs.values()}
        content = {"asked": self.asked_before, "packs": list(packs.values())}
        if content != noted and (noted or self.any):
            ledger.note(NOTE, content)


def _work(pack: list[Trial]) -> float:
    """Of a step of all together; trials alone come last, in the order of the plan."""
    return sum(t.cell.recipe.batch_size * training_flop(t.cell.config) for t in pack) if len(pack) > 1 else 0.0


def gains_on_cpu(cell: Cell) -> bool:
    """Whether models of this cell train faster together than one by one, as far as that was measured."""
    processor = capabilities()
    if "avx2" not in processor or "amx_bf16" in processor:
        return False
    num_images = len(load(cell.dataset).train)
    if cell.recipe.num_steps(num_images) < FEWEST_STEPS:
        return False
    compute = cell.to_train.compute_on("cpu", num_images)
    if compute.compile:  # faster still
        return False
    return work_of_a_layer(cell.config, cell.recipe.batch_size) <= WORK_ON_CPU[compute.dtype]


def shape_key(cell: Cell) -> str:
    """What trials of one pack share, hashed."""
    return replace(cell.to_train, recipe=shared_part(cell.recipe)).content_hash


def alone(cell: Cell) -> str | None:
    """Why models of this cell cannot be stacked, as those of a person's own components may not; None where they can."""
    try:
        with torch.random.fork_rng(devices=[]):
            stack([ViT(cell.config)])
    except TypeError as reason:
        return str(reason)
    return None
