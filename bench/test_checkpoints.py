"""What a checkpoint costs: its seconds between two steps of a real training, and their share at the default interval.

`pytest bench` writes a few; `pytest bench --benchmark-enable` measures, and writes checkpoints.csv and .md.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import Any

import pytest

from bench.conftest import BENCH
from bench.doctor import provenance
from bench.tables import write_both
from studies.data import load
from studies.training.checkpoint import load_state
from studies.training.packed import Packed
from studies.training.recipe import Recipe
from studies.training.session import Session
from studies.training.single import Single
from studies.training.upkeep import EVERY_SECONDS, SHARE, Upkeep
from studies.trial.setup import Setup
from vit import PRESETS, ViTConfig

MODELS = {
    "tiny": (PRESETS["tiny"], 1),
    "small, 8 in a pack": (PRESETS["small"], 8),
    "192/6": (ViTConfig(patch_size=7, embed_dim=192, depth=6, num_heads=3), 1),
}
RECIPE = Recipe(epochs=1, batch_size=128)
STEPS, FEW = 20, 2
TITLE = f"""# What a checkpoint costs

A training on MNIST with a checkpoint after every one of {STEPS} steps: median seconds of writing one (state copied,
serialised, synced to disk), the longest, and of a step. `share` is that of checkpoints in the time of a training at the
default interval of {EVERY_SECONDS:g} s, reckoned with the longest. Whatever the disk, it stays under {SHARE:.0%}: after
a checkpoint that took s seconds the next one waits at least {1 / SHARE:g} s. A trial shorter than the interval writes
none. `read` is what going on from one takes.
"""


class Timed(Upkeep):
    """Writes after every step, so many times, and says how long it took."""

    def until(self, session: Session, steps: int) -> tuple[list[float], list[float]]:
        """Seconds of steps, and of checkpoints."""
        taken, written = [], []
        with session.dropout:
            session.clock.start()
            for (images, labels), _ in zip(session.batches(), range(steps), strict=False):
                start = perf_counter()
                session.step(images, labels)
                session.total.tolist()
                stepped = perf_counter()
                assert self.path is not None
                self._write(self.path, session)
                taken.append(stepped - start)
                written.append(perf_counter() - stepped)
        return taken, written


def session_of(config: ViTConfig, models: int, device: str) -> Session:
    data = load("mnist").to(device)
    compute = Setup(config, RECIPE, "mnist").compute_on(device, len(data.train), packed=models > 1)
    if models > 1:
        return Packed(config, [RECIPE] * models, data, range(models), compute, device)
    return Single(config, RECIPE, data, 0, compute, device)


def row(name: str, path: Any, device: str, steps: int) -> dict[str, Any]:
    config, models = MODELS[name]
    session, upkeep = session_of(config, models, device), Timed(path)
    upkeep._began, upkeep._wait = 0.0, 0.0
    taken, written = upkeep.until(session, steps)
    assert upkeep.notes == []
    start = perf_counter()
    state = load_state(path, {})
    read = perf_counter() - start
    assert state["session"]["taken"] == steps
    return {
        "model": name,
        "parameters": sum(p.numel() for p in session.model.parameters()),
        "mib": path.stat().st_size / 2**20,
        "step_ms": 1000 * median(taken),
        "checkpoint_ms": 1000 * median(written),
        "longest_ms": 1000 * max(written),
        "share": max(written) / (EVERY_SECONDS + max(written)),
        "read_ms": 1000 * read,
    }


def test_checkpoints_at_the_default_interval_cost_little(request, bench, tmp_path):
    steps, device = STEPS if bench.enabled else FEW, bench.protocol.device
    rows = [row(name, tmp_path / "state.safetensors", device, steps) for name in MODELS]
    assert [row["mib"] > 0 for row in rows] == [True] * len(MODELS)
    if not bench.enabled:
        return
    if not bench.comparing:
        write_both(bench.folder, "checkpoints", TITLE, rows, provenance(request.config.stash[BENCH].command, device))
    assert max(row["share"] for row in rows) < SHARE


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_holds_model_and_optimizer(name, bench, tmp_path):
    path = tmp_path / "state.safetensors"
    found = row(name, path, bench.protocol.device, 1)
    assert 3 * 4 * found["parameters"] <= path.stat().st_size <= 3 * 4 * found["parameters"] + 300_000
