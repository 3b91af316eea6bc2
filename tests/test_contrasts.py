from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from studies.contrasts import COLUMNS, contrasts_against, cost_contrasts, factor_contrasts, log_ratio_contrast
from studies.statistics import contrast, holm

POSITIONALS = {"none": 0.0, "learned": 0.010, "rope2d": 0.0102}
FACTORS = ["chunking", "positional", "pooling"]


def study(seeds=range(10), chunkings=("tiles", "rows"), sd=0.0005):
    rng = np.random.default_rng(0)
    rows = []
    for chunking, positional, seed in itertools.product(chunkings, POSITIONALS, seeds):
        accuracy = 0.95 + POSITIONALS[positional] + 0.001 * seed + 0.02 * (chunking == "tiles")
        rows.append(
            {
                "cell": f"{chunking}-{positional}",
                "chunking": chunking,
                "positional": positional,
                "pooling": "cls",
                "seed": seed,
                "status": "complete",
                "test_accuracy": accuracy + sd * rng.standard_normal(),
            }
        )
    return pd.DataFrame(rows)


def fail(runs, cell, seed):
    hit = (runs["cell"] == cell) & (runs["seed"] == seed)
    assert hit.sum() == 1
    return runs.assign(status=runs["status"].mask(hit, "failed"), test_accuracy=runs["test_accuracy"].mask(hit, np.nan))


def row(table, a, b):
    return table[(table["a"] == a) & (table["b"] == b)].iloc[0]


def test_against_the_baseline():
    runs = study()
    table = contrasts_against(runs, "tiles-learned")
    assert list(table.columns) == COLUMNS
    assert len(table) == 5
    assert set(table["b"]) == {"tiles-learned"}
    wide = runs.pivot(index="seed", columns="cell", values="test_accuracy")
    expected = contrast(wide["tiles-none"], wide["tiles-learned"])
    found = row(table, "tiles-none", "tiles-learned")
    assert found["difference"] == pytest.approx(expected.difference)
    assert (found["n"], found["p"], found["family_size"]) == (10, expected.p, 5)
    assert found["verdict"] == "worse"
    assert row(table, "tiles-rope2d", "tiles-learned")["verdict"] == "equivalent"


def test_rows_are_paired_by_seed_whatever_their_order():
    runs = study()
    shuffled = runs.sample(frac=1, random_state=1)
    one, other = contrasts_against(runs, "tiles-none"), contrasts_against(shuffled, "tiles-none")
    pd.testing.assert_frame_equal(one, other.set_index("a").loc[one["a"]].reset_index()[COLUMNS])


def test_the_family_is_adjusted_together():
    runs = study(sd=0.005)
    table = contrasts_against(runs, "tiles-learned", family="declared")
    wide = runs.pivot(index="seed", columns="cell", values="test_accuracy")
    judged = holm([contrast(wide[cell], wide["tiles-learned"]) for cell in table["a"]])
    assert table["p_holm"].tolist() == pytest.approx([c.p_holm for c in judged])
    assert set(table["family"]) == {"declared"}


def test_failed_and_missing_trials_are_dropped_and_counted():
    runs = fail(fail(study(), "rows-none", 3), "tiles-learned", 4)
    runs = runs[~((runs["cell"] == "rows-none") & (runs["seed"] == 9))]
    table = contrasts_against(runs, "tiles-learned")
    assert row(table, "rows-none", "tiles-learned")[["n", "dropped"]].tolist() == [7, 3]
    assert row(table, "tiles-none", "tiles-learned")[["n", "dropped"]].tolist() == [9, 1]


def test_seeds_that_neither_arm_ran_are_not_counted():
    extra = study(seeds=range(10, 20)).query("cell == 'rows-none'")
    table = contrasts_against(pd.concat([study(), extra]), "tiles-learned")
    assert row(table, "tiles-none", "tiles-learned")["dropped"] == 0
    assert row(table, "rows-none", "tiles-learned")["dropped"] == 10


def test_an_unfinished_trial_with_a_value_is_not_complete():
    runs = study()
    runs.loc[0, "status"] = "running"
    assert row(contrasts_against(runs, "tiles-learned"), "tiles-none", "tiles-learned")["n"] == 9


def test_a_retried_trial_counts_once():
    runs = fail(study(), "tiles-none", 0)
    runs = pd.concat([runs, study().query("cell == 'tiles-none' and seed == 0")])
    found = row(contrasts_against(runs, "tiles-learned"), "tiles-none", "tiles-learned")
    assert found[["n", "dropped"]].tolist() == [10, 0]


def test_a_cell_that_never_completed():
    runs = study()
    runs.loc[runs["cell"] == "rows-none", ["status", "test_accuracy"]] = ["failed", np.nan]
    found = row(contrasts_against(runs, "tiles-learned"), "rows-none", "tiles-learned")
    assert found[["n", "dropped", "verdict"]].tolist() == [0, 10, "underpowered"]
    assert math.isnan(found["difference"])


def test_a_single_seed_is_underpowered():
    table = contrasts_against(study(seeds=[0]), "tiles-learned")
    assert set(table["verdict"]) == {"underpowered"}
    assert set(factor_contrasts(study(seeds=[0]), FACTORS)["verdict"]) == {"underpowered"}


def test_only_the_baseline():
    table = contrasts_against(study().query("cell == 'tiles-none'"), "tiles-none")
    assert list(table.columns) == COLUMNS
    assert table.empty


def test_errors_name_the_choices():
    with pytest.raises(ValueError, match="no cell 'tile-none' in runs; choices: tiles-none, tiles-learned"):
        contrasts_against(study(), "tile-none")
    with pytest.raises(ValueError, match="no column val_accuracy; it has: cell"):
        contrasts_against(study(), "tiles-none", "val_accuracy")
    with pytest.raises(ValueError, match="cell=tiles-none, seed=0"):
        contrasts_against(pd.concat([study(), study()]), "tiles-none")
    with pytest.raises(ValueError, match="name every factor"):
        factor_contrasts(study(), ["positional"])


def test_every_pair_of_levels():
    table = factor_contrasts(study(), FACTORS)
    assert table.groupby("factor").size().to_dict() == {"chunking": 1, "positional": 3}
    assert table["family"].nunique() == 2
    assert row(table, "tiles", "rows")["verdict"] == "better"
    assert row(table, "none", "learned")["verdict"] == "worse"
    assert row(table, "learned", "rope2d")["verdict"] == "equivalent"
    assert set(table["n"]) == {10}


def test_levels_are_averaged_over_the_other_factors():
    runs = study()
    wide = runs.groupby(["seed", "positional"])["test_accuracy"].mean().unstack()
    expected = contrast(wide["none"], wide["rope2d"])
    found = row(factor_contrasts(runs, FACTORS), "none", "rope2d")
    assert (found["difference"], found["low"]) == pytest.approx((expected.difference, expected.low))
    assert found["p"] == expected.p


def test_what_one_level_lacks_the_other_loses_too():
    # tiles are far better: without pairing, none would win by its missing trial of rows
    runs = fail(study(sd=0.0), "rows-none", 3)
    found = row(factor_contrasts(runs, FACTORS), "none", "learned")
    assert found["difference"] == pytest.approx(-0.010)
    assert found[["n", "dropped"]].tolist() == [10, 1]


def test_a_seed_without_any_common_setting_is_no_pair():
    runs = fail(fail(study(), "rows-none", 3), "tiles-learned", 3)
    found = row(factor_contrasts(runs, FACTORS), "none", "learned")
    assert found[["n", "dropped"]].tolist() == [9, 2]


def test_a_combination_that_cannot_exist():
    runs = study().query("cell != 'rows-rope2d'")
    table = factor_contrasts(runs, FACTORS)
    assert row(table, "learned", "rope2d")[["n", "dropped"]].tolist() == [10, 10]
    assert row(table, "none", "learned")[["n", "dropped"]].tolist() == [10, 0]


def test_one_factor_and_one_family():
    runs = study(chunkings=["tiles"])
    assert len(factor_contrasts(runs, ["positional"])) == 3
    joint = factor_contrasts(study(), FACTORS, family="all")
    assert set(joint["family"]) == {"all"}
    assert set(joint["family_size"]) == {4}


def test_factors_that_do_not_apply_to_an_arm():
    runs = study()
    runs["num_strips"] = np.where(runs["chunking"] == "rows", 4.0, np.nan)
    table = factor_contrasts(runs, [*FACTORS, "num_strips"])
    assert row(table, "none", "learned")["n"] == 10
    # chunking and num_strips change together: no setting of the one is common to both levels of the other
    assert table.loc[table["factor"] == "num_strips", "verdict"].tolist() == ["underpowered"]


def rounds(ratio, sd=0.005, n=10):
    rng = np.random.default_rng(1)
    drift = np.exp(np.linspace(0, 0.3, n))  # the machine warms up under both arms alike
    base = 1000 * drift
    cells = {"base": base, "fast": ratio * base * np.exp(sd * rng.standard_normal(n))}
    return pd.DataFrame(
        [{"cell": c, "round": i, "speed": v} for c, values in cells.items() for i, v in enumerate(values)]
    )


def test_speed_is_compared_by_ratio_on_paired_rounds():
    found = cost_contrasts(rounds(1.2), "base", "speed", higher_is_better=True).iloc[0]
    assert found["ratio"] == pytest.approx(1.2, rel=0.01)
    assert found["ratio_low"] < 1.2 < found["ratio_high"]
    assert (found["n"], found["verdict"]) == (10, "better")
    slow = cost_contrasts(rounds(1.2), "base", "speed", higher_is_better=False).iloc[0]
    assert slow["verdict"] == "worse"
    assert cost_contrasts(rounds(1.0), "base", "speed", higher_is_better=True).iloc[0]["verdict"] == "equivalent"


def test_costs_must_be_positive():
    with pytest.raises(ValueError, match="speed must be positive"):
        cost_contrasts(rounds(0.0), "base", "speed", higher_is_better=True)
    with pytest.raises(ValueError, match="must be positive"):
        log_ratio_contrast([1.0, 0.0], [1.0, 1.0])


def test_log_ratio_is_symmetric():
    a, b = [1.0, 2.0, math.nan], [2.0, 1.0, 1.0]
    assert log_ratio_contrast(a, b).difference == pytest.approx(0.0)
    assert log_ratio_contrast(a, b).dropped == 1
    assert log_ratio_contrast(a, b).margin == pytest.approx(math.log(1.02))
