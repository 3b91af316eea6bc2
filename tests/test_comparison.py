import json
import shutil

import pandas as pd
import pytest

import tiny
from studies.comparison import compare_results
from studies.export import ExportError

ARMS = [f"arm{i}" for i in range(8)]


@pytest.fixture
def runs(tmp_path):
    """Writes a results folder: seven seeds of eight arms, accuracy and speed shifted as asked."""

    def write(name, accuracy=0.0, speed=1.0, **facts):
        folder = tmp_path / name
        folder.mkdir()
        rows = [
            {
                "cell": arm,
                "seed": s,
                "status": "complete",
                "test_accuracy": 0.9 + i / 100 + s / 1000 + accuracy * (1 + s / 50),
            }
            for i, arm in enumerate(ARMS)
            for s in range(10)
        ]
        pd.DataFrame(rows).to_csv(folder / "runs.csv", index=False)
        speeds = [{"cell": arm, "train_images_per_second": 1000.0 * (i + 1) * speed * (1 + i / 1000),
                   "infer_images_per_second": 5000.0 * (i + 1)} for i, arm in enumerate(ARMS)]  # fmt: skip
        pd.DataFrame(speeds).to_csv(folder / "cells.csv", index=False)
        (folder / "provenance.json").write_text(json.dumps({"cpu": "Abacus", "cores": "2", "commit": "aaa", **facts}))
        return folder

    return write


def test_a_run_compared_with_itself_has_not_changed(runs):
    found = compare_results(runs("a"), runs("b"))
    assert not found.worse
    assert found.changed == {}
    assert (found.arms["difference"] == 0).all()


def test_a_drop_in_accuracy_is_found_and_a_rise_is_not_worse(runs):
    a, b = runs("a"), runs("b", accuracy=-0.01, commit="bbb")
    found = compare_results(a, b)
    assert found.worse
    assert set(found.arms["verdict"]) == {"worse"}
    assert found.changed == {"commit": ("aaa", "bbb")}
    assert not compare_results(b, a).worse


def test_a_slower_program_is_found_on_the_same_hardware_only(runs):
    a = runs("a")
    assert compare_results(a, runs("slow", speed=0.7)).worse
    elsewhere = compare_results(a, runs("elsewhere", speed=0.7, cpu="Other"))
    assert elsewhere.speed is None
    assert not elsewhere.worse
    assert not [name for name in elsewhere.arms if "ratio" in name]


def test_a_missing_arm_is_named(runs):
    a, b = runs("a"), runs("b")
    for name in ("runs", "cells"):
        frame = pd.read_csv(b / f"{name}.csv")
        frame[frame["cell"] != "arm3"].to_csv(b / f"{name}.csv", index=False)
    assert compare_results(a, b).only == ["arm3"]


def test_nothing_in_common_and_missing_provenance_are_refused(runs):
    a, b = runs("a"), runs("b")
    (b / "provenance.json").unlink()
    with pytest.raises(ExportError, match=r"provenance\.json"):
        compare_results(a, b)
    frame = pd.read_csv(a / "runs.csv")
    frame["cell"] = "other " + frame["cell"]
    shutil.copy(a / "provenance.json", b)
    frame.to_csv(b / "runs.csv", index=False)
    with pytest.raises(ExportError, match="no arm in common"):
        compare_results(a, b)


def test_the_command_exits_with_1_when_it_got_worse(runs, capsys):
    a, b = runs("a"), runs("b", accuracy=-0.01)
    assert tiny.vit_ablate("compare", str(a), str(b)) == 1
    assert "worse" in capsys.readouterr().out
    assert tiny.vit_ablate("compare", str(a), str(a)) == 0
