"""Pages quote what published results say, and not what they once said."""

import shutil

import pandas as pd
import pytest

from quotes import PAGES, PUBLISHED, QUOTED, ROOT, SCALE, quoted

MEND = "run `python tests/quotes.py`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_quote_what_is_published(page):
    text = page.read_text(encoding="utf-8")
    assert text == quoted(text), MEND


def test_a_new_run_is_quoted_at_once(tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    names = [name for _, _, name, _, _ in QUOTED.findall(text)]
    assert len(names) == 2
    for name in names:
        keep = shutil.ignore_patterns("pictures", "figures", "report.html")
        shutil.copytree(ROOT / PUBLISHED / name, tmp_path / PUBLISHED / name, ignore=keep)
    answered, grown = (tmp_path / PUBLISHED / name for name in names)
    page = (answered / "README.md").read_text(encoding="utf-8")
    (answered / "README.md").write_text(
        page.replace("`positional` learned: none", "`positional` odd: none"), encoding="utf-8"
    )
    contrasts = pd.read_csv(grown / "contrasts.csv").assign(verdict="undecided")
    contrasts.to_csv(grown / "contrasts.csv", index=False)
    said = quoted(text, tmp_path)
    assert "eep `positional` odd: none" in said
    assert "0 of 23 arms were decided" in said
    assert quoted(said) == text


def test_the_page_on_durable_studies_says_what_the_kills_came_to_once_that_is_published(tmp_path):
    text = (ROOT / "docs" / "durable.md").read_text(encoding="utf-8")
    (tmp_path / PUBLISHED / "chaos").mkdir(parents=True)
    (tmp_path / PUBLISHED / "chaos" / "README.md").write_text("# Killed\n\n**Result.** Killed 7 times.\n\nMore.\n")
    assert "\nKilled 7 times. [Every kill](../results/published/chaos/README.md).\n" in quoted(text, tmp_path)
    assert quoted(quoted(text, tmp_path)) == text


def test_a_bench_of_scale_is_quoted_in_three_tables(tmp_path):
    folder = tmp_path / PUBLISHED / "bench-cpu"
    folder.mkdir(parents=True)
    (folder / "scale.md").write_text("# x\n\n- machine: Abacus 1, 2 cores\n", encoding="utf-8")
    empty = dict.fromkeys(
        ("milliseconds", "statements", "bytes", *(name for name in SCALE if name != "workers_or_trials"))
    )
    rows = [
        {"what": "no trial", "name": "workers", "workers_or_trials": 4, "trials_per_second": 20.4, "connections": 6},
        {"what": "a second", "name": "workers", "workers_or_trials": 4, "trials_per_second": 3.9},
        {"what": "part", "name": "claim", "workers_or_trials": 1, "milliseconds": 1.26, "statements": 7},
        {"what": "study", "name": "waiting", "workers_or_trials": 10_000, "bytes": 5430.2},
    ]
    pd.DataFrame([{**empty, **row} for row in rows]).to_csv(folder / "scale.csv", index=False)
    page = "<!-- quoted: scale bench-cpu -->\nold\n<!-- end of quotation -->"
    said = quoted(page, tmp_path)
    assert "On Abacus 1, 2 cores, all on it:" in said
    assert "| 4 | 20.4 |  |  |  |  | 6 | 3.9 |" in said
    assert "| claim | 1.3 | 7 |" in said
    assert "| waiting | 10,000 |  | 5,430 |" in said
    assert quoted(said, tmp_path) == said
