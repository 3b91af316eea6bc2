"""Weights that a training starts from instead of random ones: fine-tuning.

They are kept in the cache, as a person's own images are, and called ``winner-0123456789ab``: a word for people, and the
digest of the file, which alone counts. So a plan names no path, every worker finds them, and other weights are another
trial.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from bench.files import write
from studies.data.places import CACHE, cache_folder
from studies.training.weights import WeightsError, load_weights_file
from vit import ViT
from vit.interop import InteropError, Transfer, transfer

NAME = re.compile(r"[a-z0-9_]+-([0-9a-f]{12})")


def keep(path: Path) -> str:
    """Copy a weights file to the cache; returns the name by which a recipe has it.

    Raises:
        WeightsError: it cannot be read as ``save_weights`` writes it.
    """
    load_weights_file(path)
    content = path.read_bytes()
    word = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_") or "weights"
    name = f"{word}-{hashlib.sha256(content).hexdigest()[:12]}"
    kept = _file(name)
    if not kept.exists():
        write(kept.parent, kept.name, lambda part: part.write_bytes(content))
    return name


def identity(name: str) -> str:
    """What of a name counts: the digest."""
    return name.rsplit("-", 1)[-1]


@cache
def load_initial(name: str) -> ViT:
    """The model of kept weights, read once per process; not to be changed.

    Raises:
        WeightsError: they are not in the cache, or damaged.
    """
    if not _file(name).exists():
        raise WeightsError(
            f"{name} is not in the cache {cache_folder()}: name its file once on this machine, --init FILE, "
            f"or the cache that has it, {CACHE}=..."
        )
    return load_weights_file(_file(name))


def start_from(name: str, model: ViT) -> Transfer:
    """Copy kept weights into a model, as far as they fit.

    Raises:
        WeightsError: they are not in the cache, or damaged.
        InteropError: the blocks of the two differ.
    """
    try:
        return transfer(load_initial(name), model)
    except InteropError as error:
        raise InteropError(f"init={name}: {error}") from None


def _file(name: str) -> Path:
    return cache_folder() / "weights" / f"{identity(name)}.safetensors"
