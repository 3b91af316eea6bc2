"""Ours beside timm, vit-pytorch, transformers and the notebook's loop: the same function first, then timed.

`nox -s peers` installs them and measures; without them what needs them is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import torch
from torch import nn

from bench.conftest import BENCH
from bench.doctor import device_label, package_versions, provenance
from bench.flops import count_flops
from bench.limits import measure_limits
from bench.notebook_loop import endless_batches
from bench.peers import PEERS, SHAPES, TOLERATED, copy_to_timm, parameters_beyond_ours, peer_step
from bench.peers_report import COMPILED, OURS, PeerRow, headline, rows_of, write_peers
from bench.rows import prepare_compiler
from bench.step_profile import profile_step, write_profile
from bench.timing import Task, interleaved
from studies.compute import has_cpp_compiler, resolve
from studies.data import DataSet, Split
from studies.recipe import Recipe
from studies.train import Preparation, step_of, train_step
from vit import ViT, ViTConfig

RECIPE = Recipe()
BATCHES = {"16/2": (64, 128, 512), "64/4": (64, 128, 512), "192/6": (64, 512), "192/6 CIFAR": (64, 128)}
TASKS = ("train step", "inference")
MIN_ROUNDS, CELL_SECONDS, BURST = 5, 15.0, 0.03
PROFILED_STEPS = 10


@dataclass
class Contest:
    """One shape and batch on a device: the tasks of everybody who can be built here."""

    config: ViTConfig
    batch: int
    device: str = "cpu"
    compute: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (self.config.in_channels, *self.config.image_shape)
        generator = torch.Generator().manual_seed(0)
        self.pixels = torch.randint(0, 256, (4 * self.batch, *shape), dtype=torch.uint8, generator=generator)
        self.labels = torch.arange(4 * self.batch) % self.config.num_classes
        self.images = (self.pixels[: self.batch].float() / 255).to(self.device)
        self.targets = self.labels[: self.batch].to(self.device)
        self.chosen = resolve(self.config, RECIPE, self.device)

    def tasks(self, task: str) -> dict[str, Task]:
        """By contestant; ours first."""
        return self.training() if task == "train step" else self.inference()

    def training(self) -> dict[str, Task]:
        """Forward, backward, update; at rate 0, so that every step computes the same."""
        batch = (self.images, self.targets)
        tasks: dict[str, Task] = {OURS: partial(self.our_step(), *batch)}
        tasks["ours, loading"] = self.loading_step()
        if has_cpp_compiler():
            tasks[COMPILED] = partial(self.our_step(compile=True), *batch)
        self.compute = dict.fromkeys(tasks, str(self.chosen)) | {COMPILED: str(replace(self.chosen, compile=True))}
        for name in self.present():
            tasks[name] = self.notebook_step() if name == "notebook" else partial(self.their_step(name), *batch)
            self.compute[name] = "float32"
        if "timm" in tasks and self.chosen.dtype != "float32":
            tasks["timm, bfloat16"] = partial(self.their_step("timm", self.chosen.torch_dtype), *batch)
            self.compute["timm, bfloat16"] = self.chosen.dtype
        if "timm" in tasks and has_cpp_compiler():
            tasks["timm, compiled"] = partial(
                self.their_step("timm", wrap=partial(torch.compile, dynamic=False)), *batch
            )
            self.compute["timm, compiled"] = "float32, compiled"
        return tasks

    def inference(self) -> dict[str, Task]:
        """Logits of a batch, in float32, as ``studies.train.evaluate`` does."""
        models = {OURS: ViT(self.config).use_attention(self.chosen.attention)}
        models |= {name: PEERS[name].build(self.config) for name in self.present()}
        self.compute = dict.fromkeys(models, "float32") | {OURS: f"float32, {self.chosen.attention} attention"}
        return {
            name: torch.inference_mode()(partial(model.to(self.device).eval(), self.images))
            for name, model in models.items()
        }

    def present(self) -> list[str]:
        """The peers that are installed."""
        return [name for name, peer in PEERS.items() if not peer.missing()]

    def our_step(self, compile: bool = False) -> Callable[..., object]:
        """A step as ``fit`` takes it, with what the rule chose, or compiled."""
        model = ViT(self.config).to(self.device).use_attention(self.chosen.attention)
        compute = replace(self.chosen, compile=compile)
        step, _ = step_of(model, RECIPE.replace(learning_rate=0.0), compute, self.device)
        return step

    def loading_step(self) -> Task:
        """The same behind our batch preparation."""
        split = Split(self.pixels, self.labels)
        prepare = Preparation(RECIPE, DataSet("random", 10, split, split, split).to(self.device))
        step, generator = self.our_step(), torch.Generator().manual_seed(0)

        def task() -> object:
            index = torch.randperm(len(split), generator=generator)[: self.batch]
            return step(*prepare.batch(index, generator))

        return task

    def their_step(
        self, name: str, dtype: torch.dtype | None = None, wrap: Callable[[nn.Module], Any] = lambda model: model
    ) -> Callable[..., object]:
        """A peer's step with AdamW as torch makes it; ``dtype`` asks for autocast, ``wrap`` for the compiler."""
        model = PEERS[name].build(self.config).to(self.device)
        step = partial(peer_step, wrap(model), torch.optim.AdamW(model.parameters(), lr=0.0))
        return step if dtype is None else torch.autocast(torch.device(self.device).type, dtype)(step)

    def notebook_step(self) -> Task:
        """A batch from its DataLoader, then its step with its Adam."""
        model = PEERS["notebook"].build(self.config).to(self.device)
        step = partial(peer_step, model, torch.optim.Adam(model.parameters(), lr=0.0))
        batches = endless_batches(self.pixels, self.labels, self.batch)
        return lambda: step(*(part.to(self.device) for part in next(batches)))


def build(name: str, shape: str) -> nn.Module:
    """A peer at a shape; skips with the reason where it is not installed."""
    if reason := PEERS[name].missing():
        pytest.skip(reason)
    torch.manual_seed(0)
    return PEERS[name].build(SHAPES[shape])


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


def parameter_text(name: str) -> str:
    """The difference at every shape, for example ``16/2: +34 (0.6 %)``."""
    differences = {s: (parameters_beyond_ours(PEERS[name].build(c), c), ViT(c).num_params()) for s, c in SHAPES.items()}
    return ", ".join(f"{shape}: {extra:+,} ({extra / ours:+.1%})" for shape, (extra, ours) in differences.items())


@pytest.mark.parametrize(("name", "shape"), list(product(PEERS, SHAPES)))
def test_a_peer_has_our_architecture(name, shape):
    config, peer = SHAPES[shape], build(name, shape)
    logits = peer(torch.rand(2, config.in_channels, *config.image_shape))
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()
    tolerated = 0 if name in ("timm", "transformers") else 3 * TOLERATED if name == "notebook" else TOLERATED
    assert abs(parameters_beyond_ours(peer, config)) <= tolerated * ViT(config).num_params()


@pytest.mark.parametrize("shape", SHAPES)
def test_timm_with_our_weights_computes_our_function(shape):
    config, theirs = SHAPES[shape], build("timm", shape)
    ours, images = ViT(config), torch.rand(4, config.in_channels, *config.image_shape)
    copy_to_timm(ours, theirs)
    torch.testing.assert_close(theirs(images), ours(images), atol=1e-4, rtol=1e-4)
    step = partial(peer_step, images=images, labels=torch.arange(4))
    step(theirs, torch.optim.SGD(theirs.parameters(), lr=0.1))
    train_step(ours, torch.optim.SGD(ours.parameters(), lr=0.1), images, torch.arange(4))
    torch.testing.assert_close(theirs(images), ours(images), atol=1e-3, rtol=1e-3)  # equal gradients too


def test_where_the_time_of_our_step_goes(bench):
    """A profile of 192/6 with its share of the machine's GEMM rate; on a CPU only, whose operators run in turn."""
    contest = Contest(SHAPES["192/6"], 64 if bench.enabled else 2)
    step = partial(contest.our_step(), contest.images, contest.targets)
    parts = profile_step(step, PROFILED_STEPS if bench.enabled else 1)
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert parts[0].milliseconds > 0
    if bench.enabled and bench.protocol.device == "cpu":
        rate = contest.batch / min(interleaved({OURS: step}, rounds=PROFILED_STEPS)[OURS].seconds)
        gemm = bench.first_limits.best(measure_limits()).gemm[contest.chosen.dtype]
        flops = 3 * count_flops(ViT(contest.config), (1, 28, 28))
        used = f"{contest.chosen}, batch {contest.batch}"
        write_profile(
            Path(bench.folder).parent / "peers-cpu",
            parts,
            f"embed_dim 192, depth 6, 17 tokens, {used}: {rate:,.0f} images/s, {flops * rate / 1e9:,.0f} GFLOP/s, "
            f"{flops * rate / 1e9 / gemm:.0%} of the {gemm:,.0f} GFLOP/s of a large matrix product.",
            provenance(bench.command, "cpu"),
        )


@pytest.mark.benchmark(max_time=0.2, min_rounds=5, warmup=True, warmup_iterations=3, group="train step 16/2")
@pytest.mark.parametrize("name", [OURS, "ours, loading", *PEERS])
def test_step(benchmark, name):
    if name in PEERS and (reason := PEERS[name].missing()):
        pytest.skip(reason)
    assert torch.isfinite(benchmark(Contest(SHAPES["16/2"], 128).training()[name]))


@pytest.mark.parametrize(
    ("shape", "batch", "task"), [(s, b, task) for task in TASKS for s, batches in BATCHES.items() for b in batches]
)
def test_contest(shape, batch, task, bench, rows):
    """Everybody in one cell, in turn."""
    if not bench.enabled:
        pytest.skip("measured with --benchmark-enable")
    torch.manual_seed(0)
    contest = Contest(SHAPES[shape], batch, bench.protocol.device)
    tasks = contest.tasks(task)
    if not set(tasks) & set(PEERS) - {"notebook"}:
        pytest.skip("none of the libraries is installed: `nox -s peers` installs them")
    prepare_compiler(contest.device)
    start = perf_counter()
    if COMPILED in tasks:
        tasks[COMPILED]()
    compile_seconds = perf_counter() - start
    with torch.no_grad() if task == "inference" else torch.enable_grad():
        assert all(torch.as_tensor(run()).isfinite().all() for run in tasks.values())
    start = perf_counter()
    for run in tasks.values():
        run()
    cost = max(perf_counter() - start, BURST * len(tasks))
    rounds = min(bench.protocol.rounds, max(MIN_ROUNDS, round(CELL_SECONDS / cost)))
    timings = interleaved(tasks, device=contest.device, rounds=rounds, round_seconds=BURST)
    rows += rows_of(shape, contest.config.num_tokens, batch, task, timings, contest.compute, compile_seconds)
