import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import tiny
from bench.files import write
from studies.findings.columns import reported
from studies.findings.effects import contrasts_frame
from studies.findings.tables import METRICS, cells_frame, runs_frame, write_tables
from studies.ledger.entries import LedgerError
from studies.trial.record import unpack


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    return tiny.filled(tmp_path_factory.mktemp("filled"))


@pytest.fixture(scope="module")
def runs(ledger):
    return runs_frame(ledger, ledger.plan)


@pytest.fixture(scope="module")
def folder(ledger, runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    write_tables(folder, runs, cells_frame(ledger.plan, runs), contrasts_frame(ledger.plan, runs))
    return folder


def test_a_row_per_trial_whatever_became_of_it(ledger, runs):
    assert list(runs["trial"].sort_values()) == sorted(ledger.entries())
    assert runs["status"].value_counts().to_dict() == {"complete": 10, "failed": 1, "waiting": 1}
    assert list(runs["cell"].unique()) == ["14/cls", "14/mean", "14x28/cls", "14x28/mean"]
    assert list(runs.columns[:8]) == ["study", "dataset", "trial", "cell", "seed", "status", "reason", "attempt"]


def test_levels_keep_their_type(runs):
    assert set(runs["patch_size"]) == {14, (14, 28)}


def test_every_row_says_what_made_it(runs):
    done = runs[runs["status"] == "complete"]
    for name in ("commit", "torch", "python", "device", "threads", "dtype", "started_at", "config_hash", "num_tokens"):
        assert done[name].notna().all(), name
    assert runs["train_images_per_second"].notna().all()
    assert set(runs["gpu_memory_source"]) == {"unavailable: no GPU"}


def test_cells_by_hand_from_the_csv_of_runs(folder):
    runs, cells = pd.read_csv(folder / "runs.csv"), pd.read_csv(folder / "cells.csv")
    for _, cell in cells[cells["n"] > 0].iterrows():
        rows = runs[(runs["cell"] == cell["cell"]) & (runs["status"] == "complete")]
        assert cell["n"] == len(rows)
        for metric in METRICS:
            values = rows[metric].to_numpy()
            mean, sd = np.mean(values), np.std(values, ddof=1)
            half = stats.t.ppf(0.975, len(values) - 1) * sd / math.sqrt(len(values))
            most = 1 if "accuracy" in metric else math.inf
            expected = [mean, sd, max(0, mean - half), min(most, mean + half)]
            found = [cell[f"{metric}_{name}"] for name in ("mean", "sd", "low", "high")]
            assert found == pytest.approx(expected, abs=1e-12), (cell["cell"], metric)


def test_no_interval_leaves_what_a_metric_can_be(ledger, runs):
    few = runs[runs["cell"] == "14/cls"].head(2).assign(test_accuracy=(0.99, 1.0), test_loss=(0.0, 1.0))
    cells = cells_frame(ledger.plan, few).set_index("cell")
    assert cells.loc["14/cls", "test_accuracy_high"] == 1
    assert cells.loc["14/cls", "test_accuracy_low"] == pytest.approx(0.995 - 0.005 * stats.t.ppf(0.975, 1))
    assert (cells.loc["14/cls", "test_loss_low"], cells.loc["14/cls", "n"]) == (0, 2)
    assert cells.loc["14/cls", "test_loss_high"] > 1


def test_balanced_accuracy_is_a_column_where_trials_have_it(ledger, runs):
    plain = cells_frame(ledger.plan, runs)
    assert "test_balanced_accuracy_mean" not in plain
    assert "test_balanced_accuracy_mean" not in reported(plain)
    more = cells_frame(ledger.plan, runs.assign(test_balanced_accuracy=runs["test_accuracy"] / 2))
    half = more["test_balanced_accuracy_mean"] - more["test_accuracy_mean"] / 2
    assert half.dropna().abs().max() < 1e-12
    assert reported(more).index("test_balanced_accuracy_mean") == reported(more).index("interval") + 1


def test_cells_are_ranked_and_impossible_ones_are_last_with_their_reason(folder):
    cells = pd.read_csv(folder / "cells.csv")
    means = cells["test_accuracy_mean"].dropna()
    assert list(means) == sorted(means, reverse=True)
    assert set(cells["cell"][-2:]) == {"5/cls", "5/mean"}
    assert list(cells["unsupported"].notna()) == [False] * 4 + [True] * 2
    by_name = cells.set_index("cell")
    assert dict(by_name["n"]) == {"14/cls": 3, "14/mean": 2, "14x28/cls": 3, "14x28/mean": 2, "5/cls": 0, "5/mean": 0}
    assert by_name.loc["14/mean", "failed"] == 1
    assert list(by_name.index[by_name["baseline"]]) == ["14/cls"]


def test_parquet_keeps_curves_and_which_images_were_right(folder):
    runs = pd.read_parquet(folder / "runs.parquet")
    assert len(runs) == 12
    done = runs[runs["status"] == "complete"]
    for _, row in done.iterrows():
        assert unpack(row["test_correct"]).float().mean().item() == row["test_accuracy"]
        assert [point["epoch"] for point in row["curve"]] == [1, 2]
    assert set(runs["patch_size"]) == {"14", "(14, 28)"}


def test_csv_leaves_out_what_no_person_reads(folder):
    assert not {"curve", "test_correct"} & set(pd.read_csv(folder / "runs.csv"))


def test_further_seeds_that_finished_stay_in_the_tables(ledger):
    from dataclasses import replace

    fewer = replace(ledger.plan, seeds=[0])
    runs = runs_frame(ledger, fewer)
    assert runs["status"].value_counts().to_dict() == {"complete": 10, "failed": 1}


def test_a_study_without_one_finished_trial_has_its_tables(tmp_path):
    from studies.ledger.folder import ResultsFolder

    ledger = ResultsFolder(tmp_path / "new").ledger(create=True)
    ledger.plan = tiny.plan({"pooling": ("cls", "mean")})
    for trial in ledger.plan.trials:
        ledger.enqueue(trial)
    runs = runs_frame(ledger, ledger.plan)
    cells, contrasts = cells_frame(ledger.plan, runs), contrasts_frame(ledger.plan, runs)
    write_tables(tmp_path, runs, cells, contrasts)
    assert list(pd.read_csv(tmp_path / "cells.csv")["n"]) == [0, 0]
    assert list(cells["num_tokens"]) == [3, 2]
    assert set(pd.read_csv(tmp_path / "contrasts.csv")["verdict"]) == {"undecided"}


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    write(tmp_path, "a.csv", lambda path: path.write_text("old"))

    def broken(path):
        path.write_text("half of it")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write(tmp_path, "a.csv", broken)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.csv": "old"}
    write(tmp_path, "a.csv", lambda path: path.write_text("new"))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.csv": "new"}


def test_a_storage_without_trials_of_its_plan_says_so(tmp_path):
    ledger = tiny.filled(tmp_path / "tiny-mnist-cpu")
    ledger.plan = tiny.plan({"depth": (1, 2)}, recipe=tiny.RECIPE.replace(epochs=9))
    with pytest.raises(LedgerError, match="holds no trial of its plan"):
        runs_frame(ledger, ledger.plan)
