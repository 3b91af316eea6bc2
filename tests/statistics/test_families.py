"""Tables of contrasts: which pairs, which seeds, which family."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from studies.statistics.families import COLUMNS, by_cell, contrasts_against, factor_contrasts, simple_effects
from studies.statistics.moderated import compare
from studies.statistics.question import Question
from studies.statistics.verdicts import SETTLED, contrast

POSITIONALS = {"none": 0.0, "learned": 0.010, "rope2d": 0.0102}
FACTORS = ["chunking", "positional", "pooling"]
BASELINE = {"chunking": "tiles", "positional": "learned", "pooling": "cls"}
PUBLISHED = Path(__file__).parents[2] / "docs" / "examples" / "ours.csv"


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


def test_against_the_baseline_the_arms_lend_each_other_their_spread():
    runs = study()
    table = contrasts_against(runs, "tiles-learned")
    assert list(table.columns) == COLUMNS
    assert len(table) == 5
    assert set(table["b"]) == {"tiles-learned"}
    values = by_cell(runs, "test_accuracy", "seed")[0][["tiles-learned", *table["a"]]]
    expected = compare(values.to_numpy().T)
    for name, all_of_them in (("difference", expected.difference), ("error", expected.error), ("p", expected.p())):
        assert table[name].tolist() == pytest.approx(all_of_them.tolist()), name
    found = row(table, "tiles-none", "tiles-learned")
    assert (found["n"], found["family_size"], found["verdict"]) == (10, 5, "worse")
    assert row(table, "tiles-rope2d", "tiles-learned")["verdict"] == "equivalent"


def test_two_arms_are_the_plain_paired_t_test():
    runs = study(chunkings=["tiles"]).query("positional != 'rope2d'")
    wide = runs.pivot(index="seed", columns="cell", values="test_accuracy")
    expected = contrast(wide["tiles-none"], wide["tiles-learned"])
    found = row(contrasts_against(runs, "tiles-learned"), "tiles-none", "tiles-learned")
    assert (found["p"], found["low"], found["df"]) == pytest.approx((expected.p, expected.low, 9))


def test_the_published_study_is_decided():
    """At least 17 of the 23 arms, and every one that differs by 0.3 points or more."""
    table = contrasts_against(pd.read_csv(PUBLISHED), "tiles/learned/cls")
    assert len(table) == 23
    settled = table["verdict"].isin(SETTLED)
    assert settled.sum() >= 17
    assert not table[(table["difference"].abs() >= 0.003) & ~settled][["a", "difference", "p_holm"]].size
    assert set(table.loc[table["difference"] <= -0.003, "verdict"]) == {"worse"}
    undecided = table[~settled]
    assert (undecided["seeds_needed"] > 5).all()
    assert (undecided["detectable"] > 0).all()


def test_rows_are_paired_by_seed_whatever_their_order():
    runs = study()
    shuffled = runs.sample(frac=1, random_state=1)
    one, other = contrasts_against(runs, "tiles-none"), contrasts_against(shuffled, "tiles-none")
    pd.testing.assert_frame_equal(one, other.set_index("a").loc[one["a"]].reset_index()[COLUMNS])


def test_the_family_is_adjusted_together():
    table = contrasts_against(study(sd=0.005), "tiles-learned", family="declared")
    for adjusted, raw in (("p_holm", "p"), ("p_equivalence_holm", "p_equivalence")):
        assert table[adjusted].tolist() == pytest.approx(multipletests(table[raw], method="holm")[1].tolist())
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
    assert found[["n", "dropped", "verdict"]].tolist() == [0, 10, "undecided"]
    assert math.isnan(found["difference"])


def test_a_single_seed_is_undecided():
    table = contrasts_against(study(seeds=[0]), "tiles-learned")
    assert set(table["verdict"]) == {"undecided"}
    assert set(factor_contrasts(study(seeds=[0]), FACTORS)["verdict"]) == {"undecided"}


def test_only_the_baseline():
    table = contrasts_against(study().query("cell == 'tiles-none'"), "tiles-none")
    assert list(table.columns) == COLUMNS
    assert table.empty


def test_errors_name_the_choices():
    with pytest.raises(ValueError, match="no cell 'tile-none' in runs; choices: tiles-none, tiles-learned"):
        contrasts_against(study(), "tile-none")
    with pytest.raises(ValueError, match="no column val_accuracy; it has: cell"):
        contrasts_against(study(), "tiles-none", Question(metric="val_accuracy"))
    with pytest.raises(ValueError, match="cell=tiles-none, seed=0"):
        contrasts_against(pd.concat([study(), study()]), "tiles-none")
    with pytest.raises(ValueError, match="name every factor"):
        factor_contrasts(study(), ["positional"])


def test_a_change_in_every_setting_of_the_others():
    table = simple_effects(study(), FACTORS, BASELINE)
    named = [tuple(row) for row in table[["factor", "a", "b", "setting"]].to_numpy()]
    assert named == [
        ("chunking", "rows", "tiles", "positional=none, pooling=cls"),
        ("chunking", "rows", "tiles", "positional=learned, pooling=cls"),
        ("chunking", "rows", "tiles", "positional=rope2d, pooling=cls"),
        *(
            ("positional", level, "learned", f"chunking={chunking}, pooling=cls")
            for chunking in ("tiles", "rows")
            for level in ("none", "rope2d")
        ),
    ]
    assert dict(table.groupby("factor")["family_size"].first()) == {"chunking": 3, "positional": 4}
    wide = study().pivot(index="seed", columns="cell", values="test_accuracy")
    found = table[(table["a"] == "none") & table["setting"].str.contains("rows")].iloc[0]
    assert found["difference"] == pytest.approx((wide["rows-none"] - wide["rows-learned"]).mean())
    assert found["verdict"] == "worse"


def test_where_factors_interact_a_change_differs_by_setting():
    runs = study()
    runs.loc[runs["cell"] == "tiles-none", "test_accuracy"] -= 0.05
    table = simple_effects(runs, FACTORS, BASELINE)
    none = table[table["a"] == "none"].set_index("setting")["difference"]
    assert none.to_dict() == pytest.approx(
        {"chunking=tiles, pooling=cls": -0.06, "chunking=rows, pooling=cls": -0.01}, abs=0.001
    )


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
    assert (found["p"], found["df"]) == pytest.approx((expected.p, 9))  # plain t: shared luck stays in


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
    assert table.loc[table["factor"] == "num_strips", "verdict"].tolist() == ["undecided"]
