"""Pictures as data URIs, every pixel kept: a page that holds them asks nobody for anything."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from PIL import Image

SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
PLAIN = " !$()*+,-./:;=?@_~"
"""What may stand in a data URI as it is, beside letters and digits: less than base64 adds."""
PIXELS = 150 / 72
"""On the page, of a point: as large as a PNG of the same figure."""


@dataclass(frozen=True)
class PagePicture:
    """A picture inside a page; ``opaque`` if it brings a paper of its own."""

    name: str
    uri: str
    width: int
    height: int
    opaque: bool


def picture_of(path: Path, name: str) -> PagePicture:
    """The picture of a file as a data URI; as an image, no script in it runs and nothing is fetched for it.

    A PNG becomes lossless WebP: colour bars keep their shades, and flat areas take less room than a smaller copy.
    """
    if path.suffix == ".svg":
        return _of_svg(path.read_bytes(), name)
    with Image.open(path) as opened:
        image = opened.convert("RGBA")
    opaque = image.getchannel("A").getextrema()[0] == 255
    if opaque:
        image = image.convert("RGB")
    packed = io.BytesIO()
    image.save(packed, format="WEBP", lossless=True, quality=75)
    return PagePicture(name, _uri("webp", packed.getvalue()), image.width, image.height, opaque)


def _of_svg(content: bytes, name: str) -> PagePicture:
    found = SIZE.search(content[:4000].decode("utf-8", "replace"))
    width, height = (round(float(side) * PIXELS) for side in (found.groups() if found else (400, 300)))
    uri = f"data:image/svg+xml,{quote(content, safe=PLAIN)}"
    return PagePicture(name, uri, width, height, opaque=False)


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
