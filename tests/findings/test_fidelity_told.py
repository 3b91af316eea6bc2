"""What is said of short runs: within a study that varies its budget, and of a quick run beside a full one."""

import numpy as np
import pandas as pd
import pytest

import tiny
import told
from studies.findings.effects import contrasts_frame
from studies.findings.fidelity import believed, between, full_of, of_study, within
from studies.findings.saved import ExportError
from studies.findings.tables import cells_frame, write_tables

WORTH = {"cls": 0.0, "mean": 0.01}
PLAN = told.study_of({"pooling": ("cls", "mean"), "embed_dim": (16, 32), "epochs": (1, 10)})


def runs(reversed_when_short: bool = False) -> pd.DataFrame:
    def mean(levels):
        short = (levels["embed_dim"], levels["epochs"]) == (16, 1)
        sign = -1 if short and reversed_when_short else 1
        luck = np.roll([1, -1, 0.5, -0.5], 1 if levels["pooling"] == "cls" else 0)  # without spread nothing is decided
        return 0.9 + sign * WORTH[levels["pooling"]] + 0.0003 * luck

    return told.runs_of(PLAN, {cell.name: mean(cell.levels) for cell in PLAN.cells})


def test_every_cheaper_budget_is_held_against_the_dearest():
    found = within(runs(reversed_when_short=True), list(PLAN.factors))
    assert list(found) == ["epochs=1, embed_dim=16", "epochs=1, embed_dim=32", "epochs=10, embed_dim=16"]
    wrong, *right = found.values()
    assert (wrong.tau, wrong.decided, wrong.ordered, wrong.contradicted) == (-1.0, 1, 0, 1)
    assert all((one.tau, one.ordered, one.confirmed) == (1.0, 1, 1) for one in right)


def test_a_study_without_a_budget_or_without_arms_says_nothing():
    plain = told.study_of({"pooling": ("cls", "mean")})
    made = told.runs_of(plain, {"cls": [0.9, 0.9], "mean": [0.8, 0.8]})
    assert within(made, ["pooling"]) == {}
    budget = told.study_of({"epochs": (1, 10)})
    assert within(told.runs_of(budget, {"1": [0.9, 0.9], "10": [0.8, 0.8]}), ["epochs"]) == {}


def test_no_images_named_are_all_of_them():
    plan = told.study_of({"pooling": ("cls", "mean"), "train_images": (500, 0)})
    made = told.runs_of(plan, {cell.name: [0.9 + WORTH[cell.levels["pooling"]]] for cell in plan.cells})
    assert list(within(made, list(plan.factors))) == ["train_images=500"]


@pytest.fixture
def folders(tmp_path):
    """A quick and a full run of one study, and one that varies its budget."""
    plan = told.study_of({"pooling": ("cls", "mean")})
    for name, arms in {
        "s-quick-mnist-cpu": {"cls": [0.5], "mean": [0.6]},
        "s-mnist-cpu": {"cls": [0.9, 0.901, 0.899], "mean": [0.951, 0.949, 0.95]},
    }.items():
        made = told.runs_of(plan, arms)
        write_tables(tmp_path / name, made, cells_frame(plan, made), contrasts_frame(plan, made))
    made = runs()
    write_tables(tmp_path / "b-mnist-cpu", made, cells_frame(PLAN, made), contrasts_frame(PLAN, made))
    return tmp_path


def test_a_quick_run_finds_the_full_one_beside_it(folders):
    quick = folders / "s-quick-mnist-cpu"
    assert full_of(quick) == folders / "s-mnist-cpu"
    assert full_of(folders / "s-mnist-cpu") is None
    said = believed(quick)
    assert "2 arms, Kendall's τ 1.00; it orders 1 of the 1 pair" in said
    assert said.endswith("the short runs decide no pair themselves.")
    assert believed(folders / "t-quick-mnist-cpu") == ""


def test_folders_that_share_no_arms_are_refused(folders):
    with pytest.raises(ExportError, match="0 arms have results in both"):
        between(folders / "s-mnist-cpu", folders / "b-mnist-cpu")


def test_a_folder_says_its_factors_itself(folders):
    assert list(of_study(folders / "b-mnist-cpu")) == list(within(runs(), list(PLAN.factors)))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["b"], 0, "epochs=1, embed_dim=16: 2 arms, Kendall's τ 1.00"),
        (["s"], 0, "s-quick-mnist-cpu: 2 arms, Kendall's τ 1.00"),
        (["s-mnist-cpu", "s-quick-mnist-cpu"], 0, "the long runs decide no pair"),
        (["nosuch"], 2, "no studies called 'nosuch-quick'"),
    ],
)
def test_the_command_says_it(folders, capsys, words, code, said):
    assert tiny.vit_ablate("fidelity", *words, "--results", str(folders)) == code
    output = capsys.readouterr()
    assert said in output.out + output.err
