"""Pages quote what published results say, and not what they once said."""

import shutil

import pandas as pd
import pytest

from quotes import PAGES, PUBLISHED, QUOTED, ROOT, quoted

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
