"""What a search costs beside plain trials, what pruning saves and loses, and which sampler finds fronts soonest.

Samplers and pruners are replayed on two tables of really trained configurations, ``shapes.csv`` (64 shapes, one pass
each) and ``curves.csv`` (32 recipes of one shape, four passes), so that many repetitions cost nothing.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from statistics import fmean, median, stdev
from time import perf_counter
from typing import Any

import numpy as np
import optuna
import pytest

from bench.conftest import BENCH
from bench.doctor import provenance
from bench.tables import read_csv, write_both, write_csv
from bench.test_runner_overhead import plan_of, record_of
from studies.catalog.ablations import RECIPE
from studies.design.front import OBJECTIVES
from studies.design.plan import Cell
from studies.design.space import Choice, Range
from studies.ledger.folder import ResultsFolder
from studies.ledger.samplers import HALVING, NEVER, NSGA2, RANDOM, TPE, Method
from studies.ledger.search import Search, Watch
from studies.running.effort import BRIEF
from studies.running.measure import measure_cells
from studies.statistics.fronts import hypervolume_history, scaled
from studies.trial.setup import Setup
from studies.trial.tuning import FIRST_SEED, run_tuning_trial
from vit import PRESETS

pytestmark = pytest.mark.host

TABLES = Path(__file__).parents[1] / "results" / "published" / "bench-cpu"
SHAPES: dict[str, tuple[Any, ...]] = {
    "chunking": ("horizontal", "tiles"),
    "patch_size": (7, 14),
    "pooling": ("cls", "mean"),
    "embed_dim": (16, 32),
    "depth": (1, 2),
    "mlp_ratio": (1.0, 4.0),
}
CURVES, EPOCHS, BATCH_SIZE = 32, 4, 256
BUDGET, BATCH = 24, 8
TUNED, TUNED_BATCH = 16, 4
SAMPLERS = {"random": RANDOM, "TPE": TPE, "NSGA-II": NSGA2}
PRUNERS = {
    "halving": HALVING,
    "hyperband": "optuna.pruners.HyperbandPruner",
    "median": "optuna.pruners.MedianPruner",
    "none": NEVER,
}
TITLE = """# What a search costs, saves and finds

`overhead`: milliseconds of asking for a trial and writing what became of it, median, in a search with so many trials
done, beside those of a plain trial in the same ledger. `pruner`: 16 of 32 really trained recipes are tried in batches
of 4; `epochs saved` is the share of passes not trained, `regret` what the validation accuracy of the chosen one is
below that of the best tried, in points, means over repetitions. `sampler`: hypervolume of four objectives after 12 and
24 of 64 really trained shapes, as a share of the whole table's; the repetitions' standard deviation beside it. The
shapes' speeds were measured while other programs ran.
"""


@pytest.fixture(scope="module")
def full(request):
    return request.config.stash[BENCH].enabled


@pytest.fixture(scope="module")
def rows(request, full):
    found: list[dict[str, Any]] = []
    yield found
    bench = request.config.stash[BENCH]
    if full and not bench.comparing and found:
        write_both(bench.folder, "search", TITLE, found, provenance(bench.command, "cpu"))


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def row(what: str, name: str, repetitions: int, **measured: float) -> dict[str, Any]:
    columns = ("done", "search_ms", "plain_ms", "epochs_saved_percent", "regret_points")
    columns += ("share_after_12", "sd_after_12", "share_after_24", "sd_after_24")
    return {"what": what, "name": name, "repetitions": repetitions, **dict.fromkeys(columns), **measured}


def cell_of(settings: dict[str, Any]) -> Cell:
    setup = Setup(PRESETS["tiny"].replace(**settings), RECIPE.replace(epochs=1, batch_size=BATCH_SIZE), "mnist")
    return Cell("-".join(map(str, settings.values())), settings, setup)


def shape_row(cell: Cell, facts: dict[str, Any]) -> dict[str, Any]:
    accuracy = run_tuning_trial(cell.to_train, FIRST_SEED, "cpu").record["val_accuracy"]
    seconds = 50_000 / facts["train_images_per_second"]
    values = [accuracy, seconds, facts["infer_images_per_second"], facts["gpu_memory_mib"]]
    return {**cell.levels, **dict(zip(OBJECTIVES, values, strict=True))}


def curve_setup(rate: float, decay: float) -> Setup:
    config = PRESETS["tiny"].replace(chunking="horizontal", embed_dim=16, depth=2)
    changes = {"learning_rate": rate, "weight_decay": decay, "epochs": EPOCHS, "batch_size": BATCH_SIZE}
    return Setup(config, RECIPE.replace(**changes), "mnist")


@pytest.mark.slow
def test_the_tables_are_really_trained(request, full):
    """All of both with benches enabled, some five minutes of one core; else one row, as it was published."""
    if not full:
        first = read_csv(TABLES / "shapes.csv")[0]
        cell = cell_of({name: type(values[0])(first[name]) for name, values in SHAPES.items()})
        accuracy = run_tuning_trial(cell.to_train, FIRST_SEED, "cpu").record["val_accuracy"]
        assert accuracy == pytest.approx(float(first["val_accuracy"]), abs=0.02)  # another processor has other bits
        return
    cells = [cell_of(dict(zip(SHAPES, values, strict=True))) for values in itertools.product(*SHAPES.values())]
    measured = measure_cells(cells, "cpu", BRIEF)
    folder = request.config.stash[BENCH].folder
    write_csv(folder, "shapes.csv", [shape_row(cell, measured[cell.content_hash]) for cell in cells])
    draw, found = random.Random(0), []
    for i in range(CURVES):
        rate, decay = RECIPE.learning_rate * 5 ** draw.uniform(-1, 1), RECIPE.weight_decay * 10 ** draw.uniform(-1, 1)
        record = run_tuning_trial(curve_setup(rate, decay), FIRST_SEED + i, "cpu").record
        points = {f"epoch_{point['epoch']}": point["val_accuracy"] for point in record["curve"]}
        found.append({"learning_rate": rate, "weight_decay": decay, **points, "seconds": record["wall_seconds"]})
    write_csv(folder, "curves.csv", found)


def table() -> dict[tuple[str, ...], list[float]]:
    return {
        tuple(line[name] for name in SHAPES): [float(line[name]) for name in OBJECTIVES]
        for line in read_csv(TABLES / "shapes.csv")
    }


def said(level: Any) -> str:
    """As the table has it."""
    return level if isinstance(level, str) else f"{level:g}"


def replay_sampler(dotted: str, seed: int, known: dict[tuple[str, ...], list[float]]) -> np.ndarray:
    """Hypervolume after every trial of one search, as a share of that of the whole table."""
    study = optuna.create_study(directions=list(OBJECTIVES.values()))
    values: list[list[float]] = []
    for start in range(0, BUDGET, BATCH):
        study.sampler = Method(dotted).sampler(1000 * seed + start)
        batch = [study.ask() for _ in range(BATCH)]
        for trial in batch:
            key = tuple(said(trial.suggest_categorical(name, list(levels))) for name, levels in SHAPES.items())
            values.append(known[key])
        for trial, found in zip(batch, values[start:], strict=True):
            study.tell(trial, found)
    logarithmic = [name != "val_accuracy" for name in OBJECTIVES]
    whole = np.array([*values, *known.values()])
    losses, reference = scaled(whole, list(OBJECTIVES.values()), logarithmic), np.full(len(OBJECTIVES), 1 + 1e-9)
    all_of_it = hypervolume_history(losses[len(values) :], reference)[-1]
    return hypervolume_history(losses[: len(values)], reference) / all_of_it


def test_samplers_at_equal_budget(full, rows):
    known, repetitions = table(), 30 if full else 1
    assert len(known) == 64
    for name, dotted in SAMPLERS.items():
        shares = np.array([replay_sampler(dotted, seed, known) for seed in range(repetitions)])
        assert (np.diff(shares, axis=1) >= 0).all()
        assert (shares <= 1 + 1e-9).all()
        halfway, end = shares[:, BUDGET // 2 - 1].tolist(), shares[:, -1].tolist()
        if full:
            ends = {"share_after_12": fmean(halfway), "sd_after_12": stdev(halfway)}
            rows.append(row("sampler", name, repetitions, **ends, share_after_24=fmean(end), sd_after_24=stdev(end)))


def replay_pruner(dotted: str, curves: list[list[float]]) -> tuple[float, float]:
    """Share of passes not trained, and what the chosen one is below the best that was tried."""
    method = Method(RANDOM, dotted)
    study = optuna.create_study(study_name="replay", direction="maximize", pruner=method.pruner())
    trained, ends = 0, {}
    for start in range(0, len(curves), TUNED_BATCH):
        batch = [study.ask() for _ in curves[start : start + TUNED_BATCH]]
        before = study.get_trials()
        for trial in batch:
            watch = Watch("replay", method, [one for one in before if one.number < trial.number])
            curve, given_up = curves[trial.number], False
            for epoch, value in enumerate(curve, 1):
                trained += 1
                trial.report(value, epoch)
                trial.should_prune()
                given_up = epoch < len(curve) and watch(epoch, value)
                if given_up:
                    break
            if given_up:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                ends[trial.number] = curve[-1]
                study.tell(trial, curve[-1])
    whole = sum(map(len, curves))
    return 1 - trained / whole, max(curve[-1] for curve in curves) - max(ends.values())


def test_pruners_save_and_lose(full, rows):
    curves = [[float(line[f"epoch_{n}"]) for n in range(1, EPOCHS + 1)] for line in read_csv(TABLES / "curves.csv")]
    repetitions = 100 if full else 2
    for name, dotted in PRUNERS.items():
        found = [replay_pruner(dotted, random.Random(i).sample(curves, TUNED)) for i in range(repetitions)]
        saved, regret = (fmean(column) for column in zip(*found, strict=True))
        rows.append(row("pruner", name, repetitions, epochs_saved_percent=100 * saved, regret_points=100 * regret))
        assert 0 <= saved < 1
        assert regret >= 0
        if name == "none":
            assert (saved, regret) == (0, 0)


def test_a_tuning_trial_costs_the_same_however_many_are_done(tmp_path, full, rows):
    space = {"learning_rate": Range(1e-3, 1e-1, log=True), "weight_decay": Range(1e-3, 0.3, log=True)}
    record = {"curve": [{"epoch": n, "val_accuracy": 0.9 + n / 100} for n in (1, 2)], "seed": 1, "wall_seconds": 9.0}
    number = 12 if full else 1
    for done in (20, 200, 1000, 2000) if full else (4,):
        ledger = ResultsFolder(tmp_path / str(done)).ledger(create=True)
        search = Search(ledger, "tuning/cls", {"val_accuracy": "maximize"}, space, Method(), {"arm": "cls"})
        for place in range(done):
            (found,) = search.ask([place])
            search.complete(found, [found.settings["learning_rate"]], record)
        plan = plan_of(number)
        ledger.plan = plan
        taken, plain = [], []
        for i, trial in enumerate(plan.trials[:number]):
            start = perf_counter()
            (found,) = search.ask([done + i])
            search.watch(found)
            search.complete(found, [found.settings["learning_rate"]], record)
            taken.append(perf_counter() - start)
            start = perf_counter()
            entry = ledger.enqueue(trial)
            assert ledger.claim(entry)
            ledger.complete(entry, record_of(trial))
            plain.append(perf_counter() - start)
        assert sum(one.over for one in search.trials()) == done + number
        rows.append(
            row("overhead", "a trial", number, done=done, search_ms=1e3 * median(taken), plain_ms=1e3 * median(plain))
        )


def test_the_replayed_space_is_that_of_the_table():
    assert {name: Choice(values).values for name, values in SHAPES.items()} == SHAPES
