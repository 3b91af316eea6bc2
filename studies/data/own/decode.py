"""One image, whatever it is, to ``size`` x ``size`` pixels of red, green and blue. The policy is stated here.

Upright by its EXIF orientation; the first frame of an animation; transparent parts on white; 16-bit grey scaled from
its full range, other numbers refused; every other mode by Pillow's conversion to RGB. Then resized, bicubic and
antialiased: ``crop`` keeps the middle square, ``pad`` keeps all of it on black, ``stretch`` forgets the aspect.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from studies.data.own.items import Pixels

Resize = Literal["crop", "pad", "stretch"]
RESIZES: tuple[str, ...] = get_args(Resize)
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""No others are opened, whatever a file's name: EPS, say, would start a program."""
MOST_PIXELS = 100_000_000
"""Of one image, before it is decoded: 300 MB; more is a mistake or a decompression bomb."""
BOX = tuple[float, float, float, float]


@dataclass(frozen=True)
class Policy:
    """How images become equal: the side in pixels, and what is done about other aspects."""

    image_size: int
    resize: str = "crop"


@dataclass(frozen=True)
class Decoded:
    """Pixels ``(size, size, 3)`` and what the image was: width, height and Pillow's mode."""

    pixels: Pixels
    size: tuple[int, int]
    mode: str


class UndecodableError(ValueError):
    """No image that could be used; the message is the reason."""


def decode(source: Path | Pixels, policy: Policy) -> Decoded:
    """Read and resize one image.

    Raises:
        UndecodableError: broken, too large, or of numbers without a known range.
    """
    try:
        with open_image(source) as image:
            size, mode = image.size, image.mode
            _draft(image, policy)
            pixels = fitted(as_rgb(ImageOps.exif_transpose(image)), policy)
    except UndecodableError:
        raise
    except Exception as error:  # Pillow's readers raise whatever a broken file makes them stumble over
        words = getattr(error, "strerror", None) or str(error)  # the first without the path, which is told anyway
        raise UndecodableError(" ".join(words.split())[:120] or type(error).__name__) from None
    return Decoded(np.asarray(pixels), size, mode)


def open_image(source: Path | Pixels) -> Image.Image:
    """Its header; a size beyond ``MOST_PIXELS`` is refused before anything is decoded.

    Raises:
        UndecodableError: too large, empty, or no regular file.
        OSError: no image.
    """
    if not isinstance(source, Path):
        return Image.fromarray(np.ascontiguousarray(source))
    stat = source.stat()
    if not S_ISREG(stat.st_mode):  # a pipe would be waited for
        raise UndecodableError("no regular file")
    if stat.st_size == 0:
        raise UndecodableError("an empty file")
    try:
        image = Image.open(source, formats=FORMATS)
    except UnidentifiedImageError:
        raise UndecodableError("no image of a known format") from None
    if image.width * image.height > MOST_PIXELS:
        raise UndecodableError(f"{image.width} x {image.height} pixels, more than {MOST_PIXELS:,}")
    return image


def as_rgb(image: Image.Image) -> Image.Image:
    """Eight bits of red, green and blue."""
    if image.mode.startswith(("I", "F")):
        return _from_wide(image).convert("RGB")
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), with_alpha).convert("RGB")
    return image.convert("RGB")


def fitted(image: Image.Image, policy: Policy) -> Image.Image:
    """A square of the policy's size."""
    side = (policy.image_size, policy.image_size)
    if policy.resize == "pad":
        return ImageOps.pad(image, side, Image.Resampling.BICUBIC, color="black")
    box = _middle(image) if policy.resize == "crop" else None
    return image.resize(side, Image.Resampling.BICUBIC, box, reducing_gap=3.0)


def _middle(image: Image.Image) -> BOX:
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return left, top, left + side, top + side


def _from_wide(image: Image.Image) -> Image.Image:
    """16-bit grey to eight bits."""
    values = np.asarray(image)
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 0xFFFF:
        raise UndecodableError(f"mode {image.mode} with values {values.min():g} to {values.max():g}: no known range")
    return Image.fromarray((values.astype(np.uint32) // 257).astype(np.uint8))


def _draft(image: Image.Image, policy: Policy) -> None:
    """Let a JPEG reader skip detail that the resizing would throw away: at least twice the final size is left."""
    scale = 2 * policy.image_size / min(image.size)
    if scale < 1:
        image.draft(None, (round(image.width * scale), round(image.height * scale)))
