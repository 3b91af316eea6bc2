"""The README in a real browser, about as a code host shows it: whoever opens it has the answer in two screens."""

from pathlib import Path

import pytest

browsers = pytest.importorskip("browsers", reason="selenium is not installed")
markdown_it = pytest.importorskip("markdown_it")

pytestmark = browsers.NEEDED
ROOT = Path(__file__).parents[1]
SCREEN = {"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": False}
STYLE = """
body { margin: 0; font: 16px/1.5 sans-serif; }
main { max-width: 980px; margin: 0 auto; padding: 45px; box-sizing: border-box; }
h1 { margin: 0 0 16px; padding-bottom: 0.3em; } h2 { margin: 24px 0 16px; padding-bottom: 0.3em; }
p, ul, pre, table { margin: 0 0 16px; } ul { padding-left: 2em; } li + li { margin-top: 0.25em; }
pre { padding: 16px; font-size: 85%; line-height: 1.45; overflow: auto; } code { font-size: 85%; padding: 0.2em 0.4em; }
img { max-width: 100%; } td, th { padding: 6px 13px; }
"""
TOP = """
const heading = [...document.querySelectorAll("h2")].find((one) => one.textContent === arguments[0]);
return heading.getBoundingClientRect().top;
"""


def test_the_file_tree_begins_within_two_screens_and_one_figure_stands_before_it(tmp_path):
    html = markdown_it.MarkdownIt("gfm-like", {"linkify": False}).render((ROOT / "README.md").read_text("utf-8"))
    head = f"<!doctype html><meta charset='utf-8'><base href='{ROOT.as_uri()}/'><style>{STYLE}</style>"
    page = tmp_path / "readme.html"
    page.write_text(f"{head}<main>{html}</main>", encoding="utf-8")
    with browsers.chromium(tmp_path / "profile") as driver:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SCREEN)
        driver.get(page.as_uri())
        sizes = driver.execute_script("return [...document.images].map((one) => one.naturalWidth)")
        top = driver.execute_script(TOP, "The file tree")
    assert [size > 500 for size in sizes] == [True]
    assert 1000 < top <= 2 * SCREEN["height"]
