"""Every relative link and every path of published results that the pages name is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vit

ROOT = Path(vit.__file__).parents[1]
PUBLISHED = ROOT / "results" / "published"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")), *sorted(PUBLISHED.rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAMED = re.compile(r"results/published/[\w./-]*[\w/]")


def broken(page: Path) -> Iterator[str]:
    """Links to files that are not there, and to headings that the file lacks."""
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (heading and heading not in headings(target)):
            yield link


def headings(page: Path) -> set[str]:
    """As GitHub makes anchors of them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page):
    assert list(broken(page)) == []


def test_a_link_to_nothing_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A title: here\n\n[a](page.md#a-title-here) [b](#b) [c](c.md) ![d](https://example.org/d.png)\n")
    assert list(broken(page)) == ["#b", "c.md"]


def test_every_published_path_that_text_or_code_names_is_there():
    files = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        ROOT / "noxfile.py",
        *(f for d in ("vit", "bench", "studies") for f in (ROOT / d).rglob("*.py")),
    ]
    named = {path for file in files for path in NAMED.findall(file.read_text(encoding="utf-8"))}
    named.discard("results/published/NAME")
    assert len(named) > 5
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_published_folder_is_explained():
    text = (PUBLISHED / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in PUBLISHED.iterdir() if path.is_dir() and f"`{path.name}`" not in text] == []
