"""Which waiting trials train as one program, and how many at once.

Trials go together if they have one model and one recipe but for learning rate, weight decay and replica. On a
CPU none do: nothing is gained there. On a GPU the rule is: as many as wait, up to ``MOST``, if a step of the
pack is at least ``WORTH_IT`` times faster than as many steps alone, both timed for a moment on the device by
itself. Whoever types ``--pack N`` decides without a measurement.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from bench.meters import interleaved
from studies.compute import resolve
from studies.data import load
from studies.design import Cell, Trial
from studies.dropouts import own_dropout
from studies.graphed import graphed
from studies.ledger import Entry
from studies.measure import train_task
from studies.packed import PackedOptimizer, packed_step, shared_part, stacked_models
from studies.train import Preparation
from vit import ViT

MOST = 32
WORTH_IT = 1.2


class Packing:
    """How many trials of a shape train together; less after a pack was too much for the machine.

    Args:
        cells: of the plan.
        pack: so many wherever possible; None until ``sizes`` says, by shape.
    """

    def __init__(self, cells: Iterable[Cell], pack: int | None) -> None:
        self.forced = pack
        self.keys = {cell.name: shape_key(cell) for cell in cells}
        self.sizes: dict[str, int] = {}
        self.limits: dict[str, int] = {}

    @property
    def undecided(self) -> bool:
        """Whether sizes are to be measured."""
        return self.forced is None

    def size(self, cell: Cell) -> int:
        """At most so many trials of this cell's shape together."""
        if cell.recipe.compile is True:
            return 1
        key = self.keys[cell.name]
        wanted = self.forced or self.sizes.get(key, 1)
        return min(wanted, self.limits.get(key, wanted))

    def take(self, queue: deque[tuple[Trial, Entry]]) -> tuple[list[tuple[Trial, Entry]], deque[tuple[Trial, Entry]]]:
        """The first trial and those that go with it, arm by arm; and the rest."""
        size, key = self.size(queue[0][0].cell), self.keys[queue[0][0].cell.name]
        if size == 1:
            return [queue.popleft()], queue
        taken: list[tuple[Trial, Entry]] = []
        rest: deque[tuple[Trial, Entry]] = deque()
        for pair in queue:
            fits = len(taken) < size and self.keys[pair[0].cell.name] == key
            (taken if fits else rest).append(pair)
        taken.sort(key=lambda pair: (pair[0].cell.name, pair[0].seed))  # neighbours of one recipe share an optimizer
        return taken, rest

    def halve(self, cell: Cell, size: int) -> int:
        """A pack of so many was too much: half as many from now on."""
        self.limits[self.keys[cell.name]] = max(1, size // 2)
        return self.limits[self.keys[cell.name]]

    def shapes(self, cells: Iterable[Cell]) -> dict[str, tuple[Cell, int]]:
        """By shape, one of its cells and how many of its trials are among these, where that is more than one."""
        cells = [cell for cell in cells if cell.recipe.compile is not True]
        counts = Counter(self.keys[cell.name] for cell in cells)
        examples = {self.keys[cell.name]: cell for cell in reversed(cells)}
        return {key: (examples[key], min(MOST, count)) for key, count in counts.items() if count > 1}


def shape_key(cell: Cell) -> str:
    """What trials of one pack share, hashed."""
    return replace(cell, recipe=shared_part(cell.recipe)).content_hash


def measure_packs(shapes: Mapping[str, tuple[Cell, int]], device: str) -> dict[str, tuple[int, float]]:
    """The size to use for each shape, 1 if packing is not worth it, and how many times faster the pack was.

    A pack that cannot be timed, for want of memory say, is not used.
    """
    torch.set_num_threads(1)
    found: dict[str, tuple[int, float]] = {}
    for key, (cell, size) in shapes.items():
        try:
            gain = pack_gain(cell, size, device)
        except Exception:  # trials that cannot run will say so themselves
            gain = 0.0
        found[key] = (size if gain >= WORTH_IT else 1, gain)
    return found


def pack_gain(cell: Cell, size: int, device: str) -> float:
    """So many steps alone, over one step of them all: above 1, the pack is faster."""
    assert cell.config is not None
    model = ViT(cell.config).to(device).use_attention(resolve(cell.config, cell.recipe, device).attention)
    alone = train_task(model, cell, load(cell.dataset).to(device), resolve(cell.config, cell.recipe, device))
    tasks = {"alone": alone, "pack": pack_task(cell, size, device)}
    timings = interleaved(tasks, device=device, rounds=3, round_seconds=0.02)
    return size * timings["alone"].median / timings["pack"].median


def pack_task(cell: Cell, size: int, device: str, as_graph: bool = True) -> Callable[[], Tensor]:
    """A training step of so many models, with its batch, as ``fit_packed`` takes it: on a GPU from a CUDA graph."""
    assert cell.config is not None
    data, recipe = load(cell.dataset).to(device), cell.recipe
    prepare, dtype = Preparation(recipe, data), resolve(cell.config, recipe, device).torch_dtype
    model = stacked_models(cell.config, recipe, range(size), device)
    optimizer = PackedOptimizer(model, [recipe] * size).inner
    index = torch.arange(size * recipe.batch_size, device=device) % len(data.train)
    offsets = prepare.draw(torch.Generator(), 2, len(index))
    offsets = None if offsets is None else offsets.to(device)

    def one_step(images: Tensor, labels: Tensor) -> Tensor:
        return packed_step(model, optimizer, images, labels, recipe.label_smoothing, dtype)

    step = graphed(one_step, model, optimizer, device) if as_graph else one_step

    draws = own_dropout(range(size), device)

    def task() -> Tensor:
        images, labels = prepare.gather(index, offsets)
        with draws:
            return step(images.view(size, -1, *images.shape[1:]), labels.view(size, -1))

    return task
