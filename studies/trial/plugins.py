"""A person's own components, data sets and studies: one file, read once, and run as it was read in every process.

``load`` runs it here; a worker is handed what ``loaded`` gives and runs that, so that a file which is edited meanwhile
changes nothing. The digest of the file is part of the hash of every trial that uses something it registered.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from studies.data import DATASETS
from studies.training.recipe import OPTIMIZERS, SCHEDULES, Recipe
from vit import COMPONENTS, Registry, ViT, ViTConfig

GROUP = "vit_ablate.plugins"
"""Of entry points: an installed package may name its module there."""
REGISTRIES: dict[str, Registry[Any]] = {
    **COMPONENTS,
    "dataset": DATASETS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
}
"""What a trial chooses by name: its field -> where that is registered."""
OWN = "vit_ablate_plugin_"


class PluginError(ValueError):
    """A plug-in cannot be used; the message begins with its file and line where it has one."""


@dataclass(frozen=True)
class Plugin:
    """A file of Python, as it was read."""

    path: str
    source: str

    @property
    def digest(self) -> str:
        """16 hex digits of its text."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return f"{Path(self.path).name} {self.digest}"


_LOADED: dict[str, Plugin] = {}
_OWNERS: dict[tuple[str, str], Plugin] = {}


def load(text: str) -> Plugin:
    """Read the plug-in of this path, or of this entry point, and run it here; once, however often it is asked for.

    Raises:
        PluginError: there is none, or it fails.
    """
    path = Path(text) if text.endswith(".py") or "/" in text else _installed(text)
    try:
        plugin = Plugin(str(path.resolve()), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PluginError(f"--plugin {text}: {error}") from None
    run(plugin)
    return plugin


def run(plugin: Plugin) -> None:
    """Run it in this process, if it was not.

    Raises:
        PluginError: it fails, takes a name that is taken, or was loaded with another text.
    """
    known = _LOADED.get(plugin.path)
    if known is not None:
        if known != plugin:
            raise PluginError(f"{plugin.path}: it was changed after it was loaded; begin again")
        return
    before = {field: dict(registry) for field, registry in REGISTRIES.items()}
    module = ModuleType(OWN + plugin.digest)
    module.__file__ = plugin.path
    sys.modules[module.__name__] = module  # dataclasses and typing look their module up
    _LOADED[plugin.path] = plugin
    try:
        exec(compile(plugin.source, plugin.path, "exec"), module.__dict__)
        _own(plugin, before)
    except Exception as error:
        forget(plugin)
        for field, registry in REGISTRIES.items():
            registry.clear()
            registry.update(before[field])
        if isinstance(error, PluginError):
            raise
        raise PluginError(_where(error, {plugin.path}) or f"{plugin.path}: {type(error).__name__}: {error}") from error


def loaded() -> tuple[Plugin, ...]:
    """Those that ran here, in order: what a worker has to run."""
    return tuple(_LOADED.values())


def registered_by(plugin: Plugin) -> list[tuple[str, str]]:
    """Field and name of everything that a trial could choose of it."""
    return [key for key, owner in _OWNERS.items() if owner == plugin]


def used_by(config: ViTConfig, recipe: Recipe, dataset: str) -> list[Plugin]:
    """The plug-ins that registered something of these, in order of their digests."""
    if not _OWNERS:
        return []
    chosen = {field: getattr(config, field, getattr(recipe, field, dataset)) for field in REGISTRIES}
    found = {_OWNERS[key] for key in chosen.items() if key in _OWNERS}
    return sorted(found, key=lambda plugin: plugin.digest)


def rehearse(name: str, config: ViTConfig, recipe: Recipe, dataset: str) -> None:
    """Where an arm uses a plug-in, build its model and take it forward and back, so that errors show before any trial.

    Raises:
        PluginError: it fails.
    """
    used = used_by(config, recipe, dataset)
    if not used:
        return
    try:
        with torch.random.fork_rng(devices=[]):
            images = torch.rand(2, config.in_channels, *config.image_shape)
            ViT(config)(images).sum().backward()
    except Exception as error:
        said = f"{used[0].path}: the model of {name!r} fails: {type(error).__name__}: {error}"
        raise PluginError(at_fault(error) or said) from error


def at_fault(error: BaseException) -> str | None:
    """``file:line: Error: text`` of the last line of a plug-in that an error came through; None where it came so."""
    return _where(error, set(_LOADED)) if _LOADED else None


def forget(plugin: Plugin) -> None:
    """Take back what it registered, for tests: as if it had never been loaded."""
    _LOADED.pop(plugin.path, None)
    sys.modules.pop(OWN + plugin.digest, None)
    for field, name in registered_by(plugin):
        REGISTRIES[field].pop(name, None)
        _OWNERS.pop((field, name))


def _installed(name: str) -> Path:
    """The file of an installed package's plug-in."""
    choices = {point.name: point for point in entry_points(group=GROUP)}
    if name not in choices:
        there = f"; installed: {', '.join(choices)}" if choices else ""
        raise PluginError(f"--plugin {name}: neither a file my_scheme.py nor an entry point of {GROUP}{there}")
    spec = find_spec(choices[name].module)
    if spec is None or spec.origin is None:
        raise PluginError(f"--plugin {name}: no module {choices[name].module}, though it is installed as such")
    return Path(spec.origin)


def _own(plugin: Plugin, before: Mapping[str, Mapping[str, Any]]) -> None:
    for field, registry in REGISTRIES.items():
        for name, component in registry.items():
            if name not in before[field]:
                _OWNERS[field, name] = plugin
            elif before[field][name] is not component:
                raise PluginError(f"{plugin.path}: {field} {name!r} is registered already; choose another name")


def _where(error: BaseException, paths: set[str]) -> str | None:
    kind, said = type(error).__name__, " ".join(str(error).split())
    if isinstance(error, SyntaxError) and error.filename in paths:
        return f"{error.filename}:{error.lineno}: {kind}: {error.msg}"
    found, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in paths:
            found = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}: {kind}: {said}"
        trace = trace.tb_next
    return found
