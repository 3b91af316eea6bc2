"""A picture as SVG on nothing: its ink follows the paper, light or dark, and its images keep every pixel as it is."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from bench.files import write_text
from studies.report.colours import DARK, LIGHT

INKS = {
    "ink": (LIGHT.ink, DARK.ink),
    "soft": (LIGHT.soft, DARK.soft),
    **{f"level{i}": both for i, both in enumerate(zip(LIGHT.levels, DARK.levels, strict=True))},
}
"""What is drawn in the first colour takes the second on dark paper; anything else is part of an image."""
STYLE = (
    "svg{{font-family:'DejaVu Sans',Verdana,sans-serif;{light}}}"
    "@media(prefers-color-scheme:dark){{svg{{{dark}}}}}image{{image-rendering:pixelated}}"
)
TEXT: Any = {"svg.fonttype": "none", "svg.hashsalt": "vit-ablate"}
FAMILIES = re.compile(r" ?font-family: [^;\"]*;?")
NAMES = re.compile(r' id="(?!p[0-9a-f]+")[^"]*"')
"""Of groups; clip paths are called by theirs."""

HREFS, SPACE = re.compile(r'href="[^"]*"'), re.compile(r"\s*\n\s*")


def save_svg(figure: Figure, path: Path) -> None:
    """Write it, text as text, the same bytes whenever drawn."""
    drawn = io.StringIO()
    with matplotlib.rc_context(TEXT):
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    write_text(path.parent, path.name, recoloured(drawn.getvalue()))


def recoloured(svg: str) -> str:
    """Every colour of ``INKS`` as one that the paper decides."""
    head, body = re.split(r"(?=<defs>)", svg, maxsplit=1)
    body = NAMES.sub("", FAMILIES.sub("", body))
    used = {name: both for name, both in INKS.items() if both[0] in body}
    for name, (light, _) in used.items():
        body = body.replace(light, f"var(--{name})")
    light, dark = ("".join(f"--{name}:{both[i]};" for name, both in used.items()) for i in (0, 1))
    body = SPACE.sub(" ", HREFS.sub(lambda href: "".join(href[0].split()), body))
    return f"{head}<style>{STYLE.format(light=light, dark=dark)}</style>{body}\n"
