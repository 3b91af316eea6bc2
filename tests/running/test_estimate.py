"""The estimate against every committed measurement: what its docstring promises."""

import csv
from collections import defaultdict
from pathlib import Path
from statistics import median

import pytest

import vit
from studies.running.estimate import (
    FITTED_ON,
    OVERHEAD_SECONDS,
    SPEED_WITHIN,
    TRIAL_TOOK,
    step_seconds,
    taken_seconds,
    training_flop,
)
from studies.training.compute import Compute
from vit import ViTConfig

PUBLISHED = Path(vit.__file__).parents[1] / "results" / "published"
TRAIN_IMAGES = 55_000
MODEL = ViTConfig(patch_size=7, embed_dim=32, depth=3, num_heads=2)
BUSY = ("fidelity-mnist-cpu", "precision-mnist-cpu")
"""Trained beside other work: what is known of them is their accuracy, and their speed, measured afterwards."""
SLOWER = ("components-mnist-cpu", "ablations-fashion-mnist-cpu")
"""Of processors that bear the same name and are older: AMD Zen 3, without AVX-512; a Zen 4, one arm 1.63 times off."""
EAGER = Compute("explicit", "float32", False)


def arms() -> list[pytest.param]:
    """A finished row of every arm published with speeds from the processor it was fitted on, and its median trial."""
    found = []
    for path in sorted(PUBLISHED.rglob("runs.csv")):
        if path.parent.name in (*BUSY, *SLOWER) or FITTED_ON not in (path.parent / "provenance.json").read_text():
            continue
        rows = defaultdict(list)
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                quiet = row["train_images_per_second"]  # a study that ran beside other work holds no speeds
                if row["status"] == "complete" and row["device"] == "cpu" and quiet:
                    rows[row["cell"]].append(row)
        for name, trials in rows.items():
            wall = median(float(trial["wall_seconds"]) for trial in trials)
            found.append(pytest.param(trials[0], wall, id=f"{path.parent.name}-{name}"))
    return found


def config_of(row: dict[str, str]) -> ViTConfig:
    numbers = {name: int(row[name]) for name in ("patch_size", "embed_dim", "depth", "num_heads", "num_registers")}
    words = {name: row[name] for name in ("chunking", "positional", "pooling")}
    return ViTConfig(**numbers, **words, mlp_ratio=float(row["mlp_ratio"]))


def compute_of(row: dict[str, str]) -> Compute:
    return Compute(row["attention"], row["dtype"], row["compile"] == "True")


@pytest.mark.parametrize(("row", "wall"), arms())
def test_committed_studies_are_estimated_as_promised(row, wall):
    batch = int(row["batch_size"])
    seconds = step_seconds(config_of(row), batch, compute_of(row))
    assert 1 / SPEED_WITHIN < batch / seconds / float(row["train_images_per_second"]) < SPEED_WITHIN
    trial = OVERHEAD_SECONDS + int(row["epochs"]) * (TRAIN_IMAGES // batch) * seconds
    assert TRIAL_TOOK[0] < wall / trial < TRIAL_TOOK[1]


def test_operations_are_those_of_the_matrix_products():
    assert training_flop(MODEL) == 3 * 3 * (17 * 2 * 32 * 32 * (4 + 4) + 2 * 2 * 17 * 17 * 32)


@pytest.mark.parametrize("change", [{"depth": 6}, {"embed_dim": 64}, {"patch_size": 4}, {"mlp_ratio": 4.0}])
def test_more_work_takes_longer(change):
    assert step_seconds(MODEL.replace(**change), 128, EAGER) > step_seconds(MODEL, 128, EAGER)


def write(path: Path, rows: list[tuple[str, str, str, str]]) -> Path:
    lines = ["config_hash,status,device,wall_seconds", *map(",".join, rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_finished_trials_say_how_long_theirs_took(tmp_path):
    own = [("a", "complete", "cpu", "1"), ("a", "complete", "cpu", "4"), ("a", "complete", "cpu", "2")]
    own += [("b", "failed", "cpu", "1"), ("c", "complete", "cuda", "1"), ("d", "complete", "cpu", "")]
    others = [("a", "complete", "cpu", "9"), ("e", "complete", "cpu", "5")]
    tables = [write(tmp_path / "1.csv", own), write(tmp_path / "2.csv", others)]
    assert taken_seconds(tables, "cpu") == {"a": 2, "e": 5}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"config_hash,status\na,complete\n"])
def test_a_table_that_cannot_be_read_tells_nothing(tmp_path, content):
    (tmp_path / "x.csv").write_bytes(content)
    assert taken_seconds([tmp_path / "x.csv", tmp_path / "none.csv"], "cpu") == {}
