"""A folder of images: one subfolder a class, below train, val and test where there are such."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from studies.data.dataset import DataError
from studies.data.own.items import Item, Listing, Skipped, listed, printable

ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".png", ".gif", ".webp", ".avif"),
    *(".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
NOT_READ = (".heic", ".heif", ".svg", ".psd", ".dng", ".cr2", ".nef", ".arw", ".raw", ".jxl")
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
LAYOUT = "expected one subfolder a class (FOLDER/cat/1.jpg), or these below FOLDER/train, FOLDER/val and FOLDER/test"


def list_folder(folder: Path) -> Listing:
    """Every image below a folder, sorted by name; hidden files are no images, nor are those of other endings.

    Links are followed, but never in a circle.

    Raises:
        DataError: no image in it, no class folders, or it cannot be read.
    """
    try:
        parts = _subfolders(folder)
        skipped: list[Skipped] = []
        splits = [(part, SPLIT_NAMES.get(part.name.lower())) for part in parts]
        if any(split == "train" for _, split in splits) and all(split for _, split in splits):
            roots = [(root, split) for part, split in splits for root in _subfolders(part)]
        else:  # a class may be called "train" beside "plane"
            roots = [(root, None) for root in parts]
        items = [item for root, split in roots for item in _images(folder, root, split, skipped)]
    except OSError as error:
        raise DataError(f"{error.filename or folder}: cannot be read: {error.strerror or error}") from None
    if not items:
        loose = sum(_is_image(path) for path in folder.iterdir())
        found = f"{loose} images lie loose in it" if loose else f"it has {listed([p.name for p in parts]) or 'nothing'}"
        found = f"{skipped[0].name}: {skipped[0].reason}" if skipped else found
        raise DataError(f"{folder}: no images in class folders; {found}; {LAYOUT}")
    return Listing(printable(folder.resolve().name), items, skipped)


def _images(folder: Path, root: Path, split: str | None, skipped: list[Skipped]) -> Iterator[Item]:
    top = folder.stat()
    for path in _files(root, ((top.st_dev, top.st_ino),)):
        name = printable(path.relative_to(folder).as_posix())
        if path.suffix.lower() in NOT_READ:
            skipped.append(Skipped(name, f"{path.suffix} is not read; convert it to JPEG or PNG"))
        elif not _is_image(path):
            continue
        elif path.is_file():
            yield Item(name, path, printable(root.name), split)
        else:
            skipped.append(Skipped(name, "a link that leads nowhere" if path.is_symlink() else "no regular file"))


def _files(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """All files below, sorted; a folder that is one of those ``above`` it, by way of a link, is not entered again."""
    stat = folder.stat()
    if (stat.st_dev, stat.st_ino) in above:
        return
    for path in _visible(folder):
        if path.is_dir():
            yield from _files(path, (*above, (stat.st_dev, stat.st_ino)))
        else:
            yield path


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.is_dir()]


def _visible(folder: Path) -> list[Path]:
    names = [name for name in os.listdir(folder) if not name.startswith((".", "__MACOSX"))]  # noqa: PTH208
    return [folder / name for name in sorted(names)]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS
