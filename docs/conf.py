"""The site of this project's documentation: Sphinx with furo; `nox -s docs` builds it, and it asks nobody for anything.

Every page of docs/ is taken by itself, and of published results the readable pages.
"""

import json
import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

project = "vit-ablate"
author = "the authors of vit-ablate"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_site", "examples"]
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
suppress_warnings = ["myst.xref_missing", "myst.header", "toc.not_included", "misc.highlighting_failure"]
html_theme = "furo"
html_title = "vit-ablate"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#5b3fa0", "color-brand-content": "#5b3fa0"},
    "dark_css_variables": {"color-brand-primary": "#b9a5f0", "color-brand-content": "#b9a5f0"},
    "footer_icons": [],
}


def pages(_app):
    """Write the pages that are generated: the commands, the notebook, what was published."""
    from studies.cli.manual import manual

    made = HERE / "_made"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    (made / "commands.md").write_text(manual(), encoding="utf-8")
    (made / "notebook.md").write_text(notebook(HERE / "notebook.ipynb"), encoding="utf-8")
    for page in sorted((ROOT / "results" / "published").glob("*/*.md")):
        folder = made / "published" / page.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(page, folder)
        for picture in [*page.parent.glob("*.png"), *page.parent.glob("figures/*.png")]:
            to = folder / picture.relative_to(page.parent)
            to.parent.mkdir(exist_ok=True)
            shutil.copy(picture, to)


def notebook(path):
    """A notebook as Markdown: cells and what they gave."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                parts.append(f'<img alt="figure" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">')
            elif "text/html" in data:
                table = '<table class="docutils dataframe">'
                parts.append("".join(data["text/html"]).replace('<table border="1" class="dataframe">', table))
            else:
                text = "".join(data.get("text/plain", output.get("text", "")))
                parts.append(f"```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def rest(_app, name, source):
    """The last list of the first page: every page of docs/ that no list before it names."""
    if name == "index":
        named = set(re.findall(r"^[\w/-]+$", source[0], re.MULTILINE))
        more = sorted(page.stem for page in HERE.glob("*.md") if page.stem not in {*named, "index"})
        source[0] = source[0].replace("EVERY-OTHER-PAGE", "\n".join(more))


def setup(app):
    """Generated pages are there before Sphinx looks for sources."""
    app.connect("builder-inited", pages, priority=1)
    app.connect("source-read", rest)
