"""What a reader of results must know of a person's own images, in words."""

from __future__ import annotations

from studies.data.own.store import About, about, is_stored_name


def told(name: str) -> list[str]:
    """Lines on a stored data set: what it is, what was skipped, what looks alike across splits; none on others.

    Raises:
        DataError: it is not in the cache.
    """
    if not is_stored_name(name):
        return []
    known = about(name)
    return [line for line in (_counts(known), _skipped(known), _look_alikes(known)) if line]


def _counts(known: About) -> str:
    sizes, (_, h, w) = known.sizes, known.shape
    return (
        f"{known.title}: {sizes['train']:,} train, {sizes['val']:,} validation, {sizes['test']:,} test images of "
        f"{len(known.class_names):,} classes, {h} x {w}, resized by {known.resize}"
    )


def _skipped(known: About) -> str:
    if not known.skipped:
        return ""
    name, reason = known.skipped[0]
    return f"skipped images: {len(known.skipped):,}, the first {name}: {reason}"


def _look_alikes(known: About) -> str:
    if not any(known.look_alikes.values()):
        return ""
    found = (f"{count:,} of {known.sizes[split]:,} {split} images" for split, count in known.look_alikes.items())
    return f"near-duplicates in an earlier split: {', '.join(found)}"
