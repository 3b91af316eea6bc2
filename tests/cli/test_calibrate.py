"""The proof that the statistics keep their word, as a command."""

import pandas as pd
import pytest

import tiny
from studies.cli.doing import calibrating
from studies.statistics.calibration import calibrate
from studies.statistics.looks_calibration import calibrate_looks


@pytest.fixture(scope="module")
def table():
    """A slice: the noises that were seen, few seeds and arms."""
    return calibrate(100, seeds=(5,), arms=(3, 24), noises=("normal", "stress: unequal, as seen, skewed"))


@pytest.fixture(scope="module")
def looked():
    """All planned looks: with fewer, the promised saving is not there."""
    return calibrate_looks(100)


@pytest.fixture
def sliced(monkeypatch, table, looked):
    """What the command simulates, with fewer noises and arms; and how to spoil it."""

    def put(spoil=lambda rows: rows):
        monkeypatch.setattr(calibrating, "calibrate", lambda _studies: spoil(table))
        monkeypatch.setattr(calibrating, "calibrate_looks", lambda _studies: looked)

    return put


def test_no_promise_is_broken_and_the_page_shows_every_part(tmp_path, capsys, sliced):
    sliced()
    assert tiny.vit_ablate("calibrate", "--studies", "100", "--results", str(tmp_path)) == 0
    assert ", 0 broken: " in capsys.readouterr().out
    rows = pd.read_csv(tmp_path / "calibration" / "calibration.csv")
    assert rows[rows["required"]]["passed"].all()
    assert set(rows["rule"]) >= {"moderated", "paired t", "sign flip", "looks", "images", "seeds alone"}
    page = (tmp_path / "calibration" / "README.md").read_text(encoding="utf-8")
    assert f"{int(rows['required'].sum())} promises, 0 broken." in page
    for title in ("False claims", "Power to find half a point", "Not promised", "Planned looks", "New images"):
        assert f"## {title}" in page
    assert "stress: unequal, as seen, skewed" in page.split("## Not promised")[1].split("\n## ")[0]
    assert "## Broken" not in page
    assert "nan" not in page.split("## Planned looks")[0]


def test_a_broken_promise_is_shown_and_exits_with_1(tmp_path, capsys, sliced):
    def spoil(rows):
        hit = (rows["rule"] == "moderated") & (rows["quantity"] == "false difference") & (rows["noise"] == "normal")
        return rows.assign(passed=rows["passed"] & ~hit, observed=rows["observed"].mask(hit, 0.31))

    sliced(spoil)
    assert tiny.vit_ablate("calibrate", "--studies", "100", "--results", str(tmp_path)) == 1
    assert ", 2 broken: " in capsys.readouterr().out
    page = (tmp_path / "calibration" / "README.md").read_text(encoding="utf-8")
    assert "0.31" in page.split("## Broken")[1].split("\n## ")[0]
