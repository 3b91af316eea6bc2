from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as formulas
from statsmodels.stats.anova import anova_lm

from studies.statistics import anova
from studies.statistics.anova import COLUMNS, factorial

FACTORS = ["chunking", "positional", "pooling"]
LEVELS = [("tiles", "rows"), ("none", "learned", "rope2d"), ("cls", "mean")]


def study(seeds=6, sd=0.001):
    rng = np.random.default_rng(0)
    rows = [
        {
            "chunking": chunking,
            "positional": positional,
            "pooling": pooling,
            "seed": seed,
            "status": "complete",
            "test_accuracy": 0.9
            + 0.02 * (chunking == "tiles")
            + 0.01 * (positional == "rope2d") * (chunking == "tiles")
            + 0.002 * seed
            + sd * rng.standard_normal(),
        }
        for chunking, positional, pooling, seed in itertools.product(*LEVELS, range(seeds))
    ]
    return pd.DataFrame(rows)


def reference(runs):
    terms = "C(seed, Sum) + (C(chunking, Sum) + C(positional, Sum) + C(pooling, Sum)) ** 2"
    return anova_lm(formulas.ols(f"test_accuracy ~ {terms}", runs).fit(), typ=2)


def term(table, name):
    return table.set_index("term").loc[name]


@pytest.mark.parametrize("many", [0, 10_000])
@pytest.mark.parametrize("missing", [0, 9])
def test_agrees_with_statsmodels_type_two(missing, many, monkeypatch):
    monkeypatch.setattr(anova, "MANY", many)
    runs = study().drop(index=range(0, 5 * missing, 5))
    table, expected = factorial(runs, FACTORS), reference(runs)
    assert list(table.columns) == COLUMNS
    for ours, theirs in zip(table.iloc[:-1].itertuples(), expected.itertuples(), strict=True):
        assert (ours.sum_squares, ours.df) == pytest.approx((theirs.sum_sq, theirs.df), rel=1e-6, abs=1e-12)
    p = table["p"].to_numpy()[:-2]
    assert p == pytest.approx(expected["PR(>F)"].to_numpy()[:-1], rel=1e-6, abs=1e-12)


def test_finds_what_is_there_and_nothing_else():
    table = factorial(study(), FACTORS).set_index("term")
    there = ["chunking", "positional", "chunking:positional"]
    assert (table.loc[there, "p_holm"] < 0.001).all()
    assert (table.loc[["pooling", "chunking:pooling", "positional:pooling"], "p_holm"] > 0.05).all()
    assert np.isnan(table.loc["seed", "p_holm"])


def test_balanced_shares_add_up_to_one():
    table = factorial(study(), FACTORS)
    assert table["eta2"][:-1].sum() == pytest.approx(1.0)
    values = study()["test_accuracy"]
    assert term(table, "total")["sum_squares"] == pytest.approx((values - values.mean()).pow(2).sum())
    assert (table["omega2"][:-2] < table["eta2"][:-2]).all()


def test_hand_computed_two_by_two():
    # grand mean 2.5; factor means 2 and 3; seed means 1.5 and 3.5; residual 0
    runs = pd.DataFrame({"f": list("aabb"), "seed": [0, 1, 0, 1], "test_accuracy": [1.0, 3.0, 2.0, 4.0]})
    table = factorial(runs, ["f"])
    assert term(table, "f")[["df", "sum_squares", "eta2"]].tolist() == pytest.approx([1, 1.0, 0.2])
    assert term(table, "seed")[["df", "sum_squares", "eta2"]].tolist() == pytest.approx([1, 4.0, 0.8])
    assert term(table, "total")["sum_squares"] == pytest.approx(5.0)


def test_a_cell_that_cannot_exist():
    runs = study().query("not (chunking == 'rows' and positional == 'rope2d')")
    table = factorial(runs, FACTORS)
    assert term(table, "chunking:positional")["df"] == 1
    assert term(table, "positional")["df"] == 2
    assert term(table, "chunking")["p_holm"] < 0.001


def test_failed_trials_are_left_out():
    runs = study()
    runs.loc[3, "status"] = "failed"
    runs.loc[4, "test_accuracy"] = np.nan
    assert term(factorial(runs, FACTORS), "total")["df"] == len(runs) - 3


def test_a_single_seed_and_a_single_level():
    runs = study(seeds=1).assign(recipe="short")
    table = factorial(runs, [*FACTORS, "recipe"])
    for name in ("seed", "recipe", "chunking:recipe"):
        assert term(table, name)[["df", "sum_squares"]].tolist() == [0, 0.0]
        assert np.isnan(term(table, name)["p"])
    assert np.isfinite(term(table, "chunking")["p"])


def test_nothing_left_to_estimate_noise_from():
    runs = study(seeds=1).query("pooling == 'cls'")
    table = factorial(runs, ["chunking", "positional"])
    assert term(table, "residual")["df"] == 0
    assert table["p"].isna().all()


def test_names_that_no_formula_could_hold():
    runs = study().rename(columns={"chunking": "patch-size (px)"})
    assert "patch-size (px):positional" in set(factorial(runs, ["patch-size (px)", "positional"])["term"])


def test_a_metric_without_noise_makes_no_infinite_claims():
    runs = study().assign(params=lambda r: 1e6 * (r["chunking"] == "tiles") + 3.3)
    table = factorial(runs, FACTORS, "params")
    assert term(table, "chunking")["eta2"] == pytest.approx(1.0)
    assert table["p"].isna().all()


def test_errors():
    with pytest.raises(ValueError, match="no column depth"):
        factorial(study(), ["depth"])
    with pytest.raises(ValueError, match="0 completed trials"):
        factorial(study().assign(status="failed"), FACTORS)
