"""Names that can be typed: studies, settings, presets, known without loading torch.

The registries alone say what there is, and loading them loads torch: a second or two. What they said is kept as
Python keeps bytecode: in ``__pycache__``, good for as long as no source file of the project has changed.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.files import write_text
from studies.cli.console import UsageError

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("vit", "studies")
REGISTRIES = "studies.catalog"
"""Where this is loaded already, registries answer for themselves: they may have been added to."""
MEANT = {
    **dict.fromkeys(("lr", "rate"), "'learning_rate'"),
    **dict.fromkeys(("bs", "batch", "batchsize"), "'batch_size'"),
    **dict.fromkeys(("wd", "decay"), "'weight_decay'"),
    **dict.fromkeys(("dim", "d", "width", "hidden", "hidden_size", "d_model"), "'embed_dim'"),
    **dict.fromkeys(("layers", "blocks", "num_layers", "num_blocks"), "'depth'"),
    **dict.fromkeys(("heads", "n_heads"), "'num_heads'"),
    **dict.fromkeys(("patch", "patches", "tile"), "'patch_size'"),
    **dict.fromkeys(("size", "img_size", "resolution"), "'image_size'"),
    **dict.fromkeys(("opt", "optim"), "'optimizer'"),
    **dict.fromkeys(("pos", "position", "pos_embed"), "'positional'"),
    **dict.fromkeys(("registers", "reg_tokens"), "'num_registers'"),
    **dict.fromkeys(("amp", "precision"), "'dtype'"),
    **{name: f"--{name} {example}" for name, example in
       {"seeds": "5", "dataset": "mnist", "device": "cpu", "workers": "2", "pack": "8", "results": "FOLDER"}.items()},
    "seed": "--seeds 5",
}  # fmt: skip
"""What people call a setting elsewhere -> what it is called here, or the option that it is."""


@dataclass(frozen=True)
class StudyFacts:
    """What `list` shows of a study."""

    name: str
    factors: str
    cells: int
    trials: int
    question: str


@dataclass(frozen=True)
class ComponentFacts:
    """What `list components` shows of one: the field that names it, its name, the first sentence about it."""

    field: str
    name: str
    sentence: str


@dataclass(frozen=True)
class Known:
    """All that can be typed, by kind, in the order in which it was declared."""

    studies: list[StudyFacts]
    components: list[ComponentFacts]
    names: dict[str, list[str]]
    """``{"study": [...], "setting": [...], ...}``, kinds as messages call them."""


def known() -> Known:
    """As remembered, else from the registries."""
    if REGISTRIES in sys.modules:
        return _ask()
    stamp = _stamp()  # before anything is read: what changes meanwhile makes it stale
    found = _remembered(stamp)
    if found is None:
        found = _ask()
        _remember(found, stamp)
    return found


def check(kind: str, name: str) -> None:
    """Refuse a name that is not known.

    Raises:
        UsageError: names the nearest and all choices.
    """
    choices = known().names[kind]
    if name in choices:
        return
    meant = MEANT.get(name.lower()) if kind == "setting" else None
    near = difflib.get_close_matches(name, choices, n=1)
    hint = f"; did you mean {meant or repr(near[0])}?" if meant or near else ""
    raise UsageError(f"unknown {kind} {name!r}{hint}; choices: {', '.join(choices)}")


def memory() -> Path:
    """The file in which it is kept: beside the bytecode of this module, wherever Python puts that."""
    return Path(importlib.util.cache_from_source(__file__)).with_suffix(".json")


def _ask() -> Known:
    from studies.cli.doing.knowing import from_registries

    return from_registries()


def _stamp() -> list[str]:
    """Every source file with its time and size, and the Python that reads it."""
    files = sorted(path for package in PACKAGES for path in (PROJECT / package).rglob("*.py"))
    stats = [(path, path.stat()) for path in files]
    return [sys.version, *(f"{path} {stat.st_mtime_ns} {stat.st_size}" for path, stat in stats)]


def _remembered(stamp: list[str]) -> Known | None:
    try:
        content = json.loads(memory().read_text(encoding="utf-8"))
        if content["stamp"] != stamp:
            return None
        components = [ComponentFacts(**facts) for facts in content["components"]]
        return Known([StudyFacts(**facts) for facts in content["studies"]], components, content["names"])
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or not ours
        return None


def _remember(found: Known, stamp: list[str]) -> None:
    try:
        write_text(memory().parent, memory().name, json.dumps({"stamp": stamp, **asdict(found)}))
    except OSError:  # an installation that may only be read: asked again the next time
        return
