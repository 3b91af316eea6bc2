"""Ours beside timm, vit-pytorch, transformers and the notebook's loop, timed; test_peer_functions.py says of what.

`nox -s peers` installs them and measures; without them what needs them is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import pytest
import torch
from torch import Tensor, nn

from bench.conftest import BENCH
from bench.doctor import package_versions, provenance
from bench.entrants import LOADING, NOTEBOOK, OURS, Entrant, first_calls, logits_off
from bench.flops import count_flops
from bench.limits import measure_limits
from bench.machine import device_label
from bench.notebook_loop import endless_batches
from bench.peers import PEERS, SHAPES, VARIANTS, parameter_text, peer_step
from bench.peers_report import PeerRow, headline, rows_of, write_peers
from bench.rows import prepare_compiler
from bench.step_profile import profile_step, write_profile
from bench.timing import Task, interleaved
from studies.data import DataSet, Split
from studies.training.batches import Preparation
from studies.training.compute import TORCH_DTYPES, Compute, has_cpp_compiler, resolve
from studies.training.recipe import Recipe
from studies.training.steps.choice import step_of
from vit import ViT, ViTConfig

RECIPE = Recipe(learning_rate=0.0)
"""At rate 0, so that every step computes the same."""
BATCHES: dict[str, tuple[int, ...]] = {
    "16/2": (64, 128, 512),
    "64/4": (64, 128, 512),
    "192/6": (64, 256),
    "192/6 CIFAR": (64,),
    **dict.fromkeys(VARIANTS, (32,)),
}
COMPILED = {("16/2", 128), ("64/4", 128), ("192/6", 64)}
"""Where train steps are compiled, too: eight programs of 10 to 30 s each."""
TASKS = ("train step", "inference")
MIN_ROUNDS, CELL_SECONDS, BURST = 5, 12.0, 0.03
PROFILED_STEPS = 10
OFF = 0.1
"""Standard deviations by which bfloat16 may move a logit."""


@dataclass
class Contest:
    """One shape and batch on a device: the tasks of everybody who can be built here.

    Args:
        config: the shape.
        batch: images a task.
        device: where all compute.
        compiling: whether a train step is also compiled, where there is a compiler.
        small: whether the notebook's loop takes part, and ours with the preparation of its batches.
    """

    config: ViTConfig
    batch: int
    device: str = "cpu"
    compiling: bool = False
    small: bool = False

    def __post_init__(self) -> None:
        shape = (self.config.in_channels, *self.config.image_shape)
        generator = torch.Generator().manual_seed(0)
        self.pixels = torch.randint(0, 256, (4 * self.batch, *shape), dtype=torch.uint8, generator=generator)
        self.labels = torch.arange(4 * self.batch) % self.config.num_classes
        self.images = (self.pixels[: self.batch].float() / 255).to(self.device)
        self.targets = self.labels[: self.batch].to(self.device)

    @property
    def chosen(self) -> Entrant:
        """Ours as the rule has it for a short training."""
        return Entrant(OURS, self.compute("auto").dtype)

    def compute(self, dtype: str, compiled: bool = False) -> Compute:
        """The arithmetic of ours, with what the rule says of all else."""
        recipe = RECIPE.replace(dtype=dtype, compile=compiled)
        return resolve(self.config, recipe, self.device, num_steps=1)

    def tasks(self, task: str) -> dict[Entrant, Task]:
        """``"train step"`` or ``"inference"``, ours first."""
        return self.training() if task == "train step" else self.inference()

    def entrants(self) -> list[Entrant]:
        """Ours and the libraries that have this shape and are installed, in both number formats."""
        peers = [name for name, peer in PEERS.items() if peer.has(self.config) and not peer.missing()]
        libraries = [OURS, *(name for name in peers if name != NOTEBOOK)]
        return [Entrant(name, dtype) for dtype in TORCH_DTYPES for name in libraries]

    def training(self) -> dict[Entrant, Task]:
        """Forward, backward, update."""
        entrants = self.entrants()
        if self.compiling and has_cpp_compiler():
            entrants += [Entrant(entrant.library, entrant.dtype, compiled=True) for entrant in entrants]
        tasks: dict[Entrant, Task] = {
            entrant: partial(self.step_of(entrant), self.images, self.targets) for entrant in entrants
        }
        if self.small:
            tasks[Entrant(LOADING, self.chosen.dtype)] = self.loading_step()
            tasks[Entrant(NOTEBOOK)] = self.notebook_step()
        return tasks

    def step_of(self, entrant: Entrant) -> Callable[[Tensor, Tensor], Tensor]:
        """Ours as ``fit`` takes it; a library's as its guide writes it, with AdamW as torch makes it."""
        if entrant.library == OURS:
            compute = self.compute(entrant.dtype, entrant.compiled)
            model = ViT(self.config).to(self.device).use_attention(compute.attention)
            step, _ = step_of(model, RECIPE, compute, self.device)
            return step
        theirs = PEERS[entrant.library].build(self.config).to(self.device)
        optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.0)
        called = torch.compile(theirs, dynamic=False) if entrant.compiled else theirs
        return partial(peer_step, called, optimizer, dtype=TORCH_DTYPES[entrant.dtype])

    def loading_step(self) -> Task:
        """Ours behind our batch preparation, from resident uint8 images."""
        split = Split(self.pixels, self.labels)
        prepare = Preparation(RECIPE, DataSet("random", 10, split, split, split).to(self.device))
        step, generator = self.step_of(self.chosen), torch.Generator().manual_seed(0)

        def task() -> object:
            index = torch.randperm(len(split), generator=generator)[: self.batch]
            return step(*prepare.batch(index, generator))

        return task

    def notebook_step(self) -> Task:
        """A batch from its DataLoader, image by image, then its step with its Adam."""
        model = PEERS[NOTEBOOK].build(self.config).to(self.device)
        step = partial(peer_step, model, torch.optim.Adam(model.parameters(), lr=0.0))
        batches = endless_batches(self.pixels, self.labels, self.batch)
        return lambda: step(*(part.to(self.device) for part in next(batches)))

    def inference(self) -> dict[Entrant, Callable[[], Tensor]]:
        """Logits of a batch; a library has the same weights in both formats, and lower ones are converted once."""
        tasks: dict[Entrant, Callable[[], Tensor]] = {}
        for entrant in self.entrants():
            model = self.model_of(entrant).to(self.device, TORCH_DTYPES[entrant.dtype]).eval()
            images = self.images.to(TORCH_DTYPES[entrant.dtype])
            tasks[entrant] = torch.inference_mode()(partial(model, images))
        return tasks

    def model_of(self, entrant: Entrant) -> nn.Module:
        """Its model in float32, drawn from one seed."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            if entrant.library == OURS:
                return ViT(self.config).use_attention(self.compute(entrant.dtype).attention)
            return PEERS[entrant.library].build(self.config)


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> Iterator[list[PeerRow]]:
    """Collects what is measured; a full run is written when the last test is done."""
    bench, found = request.config.stash[BENCH], []
    yield found
    for line in headline(found):
        print(line)
    if len({(row.shape, row.batch, row.task) for row in found}) == sum(map(len, BATCHES.values())) * len(TASKS):
        device = bench.protocol.device
        parameters = {name: parameter_text(name) for name, peer in PEERS.items() if not peer.missing()}
        packages = {"libraries": package_versions("timm", "vit-pytorch", "transformers")}
        folder = Path(bench.folder).parent / f"peers-{device_label(device)}"
        write_peers(folder, found, parameters, provenance(bench.command, device) | packages)


def test_where_the_time_of_our_step_goes(bench):
    """A profile of 192/6 with its share of the machine's GEMM rate; on a CPU only, whose operators run in turn."""
    contest = Contest(SHAPES["192/6"], 512 if bench.enabled else 2)
    step = partial(contest.step_of(contest.chosen), contest.images, contest.targets)
    parts = profile_step(step, PROFILED_STEPS if bench.enabled else 1)
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert parts[0].milliseconds > 0
    if bench.enabled and bench.protocol.device == "cpu":
        rate = contest.batch / min(interleaved({OURS: step}, rounds=PROFILED_STEPS)[OURS].seconds)
        gemm = bench.first_limits.best(measure_limits()).gemm[contest.chosen.dtype]
        flops = 3 * count_flops(ViT(contest.config), (1, 28, 28))
        used = f"{contest.compute('auto')}, batch {contest.batch}"
        write_profile(
            Path(bench.folder).parent / "peers-cpu",
            parts,
            f"embed_dim 192, depth 6, 17 tokens, {used}: {rate:,.0f} images/s, {flops * rate / 1e9:,.0f} GFLOP/s, "
            f"{flops * rate / 1e9 / gemm:.0%} of the {gemm:,.0f} GFLOP/s of a large matrix product.",
            provenance(bench.command, "cpu"),
        )


@pytest.mark.benchmark(max_time=0.2, min_rounds=5, warmup=True, warmup_iterations=3, group="train step 16/2")
@pytest.mark.parametrize("name", [OURS, LOADING, *(name for name, peer in PEERS.items() if "16/2" in peer.shapes)])
def test_step(benchmark, name):
    if name in PEERS and (reason := PEERS[name].missing()):
        pytest.skip(reason)
    assert torch.isfinite(benchmark(Contest(SHAPES["16/2"], 128, small=True).training()[Entrant(name)]))


@pytest.mark.parametrize("shape", ["16/2", "192/6 CIFAR", *VARIANTS])
def test_logits_in_bfloat16_are_near_those_in_float32(shape):
    contest = Contest(SHAPES[shape], 4)
    logits = {entrant: task() for entrant, task in contest.inference().items()}
    for entrant, found in logits.items():
        assert 0 <= logits_off(found, logits[Entrant(entrant.library)]) < (OFF if entrant.dtype == "bfloat16" else 1e-6)


@pytest.mark.parametrize(
    ("shape", "batch", "task"), [(s, b, task) for task in TASKS for s, batches in BATCHES.items() for b in batches]
)
def test_contest(shape, batch, task, bench, rows):
    """Everybody in one cell, in turn."""
    if not bench.enabled:
        pytest.skip("measured with --benchmark-enable")
    torch.manual_seed(0)
    compiling = (shape, batch) in COMPILED
    contest = Contest(SHAPES[shape], batch, bench.protocol.device, compiling, small=shape == "16/2")
    tasks = contest.tasks(task)
    if {entrant.library for entrant in tasks} <= {OURS, LOADING, NOTEBOOK}:
        pytest.skip("none of the libraries is installed: `nox -s peers` installs them")
    prepare_compiler(contest.device)
    compile_seconds, outputs = first_calls(tasks)
    assert all(output.isfinite().all() for output in outputs.values())
    off = {e: logits_off(output, outputs[Entrant(e.library)]) for e, output in outputs.items() if task == "inference"}
    start = perf_counter()
    for run in tasks.values():
        run()
    cost = max(perf_counter() - start, BURST * len(tasks))
    rounds = min(bench.protocol.rounds, max(MIN_ROUNDS, round(CELL_SECONDS / cost)))
    by_name = {str(entrant): run for entrant, run in tasks.items()}
    timings = interleaved(by_name, device=contest.device, rounds=rounds, round_seconds=BURST)
    cell = (shape, contest.config.num_tokens, batch, task)
    rows += rows_of(cell, {entrant: timings[str(entrant)] for entrant in tasks}, contest.chosen, compile_seconds, off)
