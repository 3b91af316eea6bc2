"""`data`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from studies.cli.console import busy, out, say
from studies.cli.doing.datasets import named
from studies.cli.grid import Grid
from studies.cli.images import Images
from studies.data import DataSet, load
from studies.data.dataset import UNEQUAL
from studies.data.duplicates import contradictions, look_alikes
from studies.data.own.store import About, about, is_stored_name
from studies.findings.words import percent, plural
from studies.report.pictures.samples import draw_samples

MOST_CLASSES = 40
MOST_SKIPPED = 20


def show_data(images: Images, folder: Path) -> None:
    """Print what there is to know of a data set, and draw some of it."""
    name = named(images)
    data = load(name)
    with busy(f"drawing {name}"):
        picture = draw_samples(data, folder)
    known = about(name) if is_stored_name(name) else None
    out.print(_classes(data))
    for line in _facts(data, known):
        say(line)
    say(f"picture: {picture}")


def _classes(data: DataSet) -> Grid:
    """Images of every class in every split."""
    splits = [split.labels.bincount(minlength=data.num_classes).tolist() for split in (data.train, data.val, data.test)]
    counts = list(zip(data.names, *splits, strict=True))
    rows = [[label, *(f"{number:,}" for number in numbers)] for label, *numbers in counts[:MOST_CLASSES]]
    if len(counts) > MOST_CLASSES:
        rows.append([f"and {len(counts) - MOST_CLASSES:,} more classes", *[""] * len(splits)])
    rows.append(["all", *(f"{sum(split):,}" for split in splits)])
    return Grid(("class", "train", "validation", "test"), rows, data.name, right=(1, 2, 3))


def _facts(data: DataSet, known: About | None) -> Iterator[str]:
    channels, h, w = data.image_shape
    yield f"images: {h} x {w}, {'grey' if channels == 1 else 'colour'}"
    if known is not None:
        smallest, median, largest = (f"{width} x {height}" for width, height in known.originals)
        modes = ", ".join(f"{mode} {number:,}" for mode, number in known.modes.items())
        yield f"as they were: {smallest} to {largest}, {median} in the middle; {modes}; resized by {known.resize}"
        yield f"skipped: {len(known.skipped):,}"
        yield from (f"  {name}: {reason}" for name, reason in known.skipped[:MOST_SKIPPED])
        if len(known.skipped) > MOST_SKIPPED:
            yield f"  and {len(known.skipped) - MOST_SKIPPED:,} more"
    yield _imbalance(data)
    yield from _duplicates(data, known)


def _imbalance(data: DataSet) -> str:
    ratio, share = data.train.imbalance, float(data.test.labels.bincount().max() / len(data.test))
    text = f"largest class: {ratio:.1f} times the smallest in train; who always says it is right in {percent(share)}"
    unequal = data.test.imbalance >= UNEQUAL
    return f"{text}: tables show balanced accuracy, too" if unequal else text


def _duplicates(data: DataSet, known: About | None) -> Iterator[str]:
    if known is not None:
        found = known.look_alikes
    else:
        with busy("looking for near-duplicates"):
            found = {split: len(pairs) for split, pairs in look_alikes(data).items()}
    for split, earlier in (("val", "train"), ("test", "train or validation")):
        size = len(data.val if split == "val" else data.test)
        yield f"near-duplicates: {found[split]:,} of {size:,} {split} images look like one of {earlier}"
    if twice := contradictions(data):
        names = " and ".join(data.names[label] for label in sorted(twice[0]))
        yield f"two labels: {plural(len(twice), 'image')} under more than one, such as {names}"
