"""`check`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import typer
from rich.table import Table

import studies.catalog  # noqa: F401  registers the studies, whose names are taken
from studies.cli.console import WORSE, out, say
from studies.data import DATASETS
from studies.data.own.store import is_stored_name
from studies.data.promises import check_data_set
from studies.design.expand import expand
from studies.design.study import STUDIES
from studies.findings.words import plural
from studies.trial.plugins import Plugin, PluginError, at_fault, load, registered_by
from vit import COMPONENTS
from vit.contract import CONTRACT, combinations, sentence_of

T = TypeVar("T")
Broken = str | None


def check_plugin(text: str) -> None:
    """Print what the plug-in registers and which promises it keeps."""
    known = set(STUDIES)
    plugin = load(text)
    rows = list(_checked(plugin, [name for name in STUDIES if name not in known]))
    if not rows:
        raise PluginError(f"{plugin.path}: it registers nothing; write @POSITIONALS.register('mine') above a class")
    table = Table("of", "name", "promise", "")
    for field, name, promise, broken in rows:
        table.add_row(field, name, promise, broken or "kept")
    out.print(table)
    count = sum(broken is not None for *_, broken in rows)
    say(f"{plugin}: {plural(len(rows), 'promise')}, {count} broken" if count else f"{plugin}: all promises are kept")
    if count:
        raise typer.Exit(WORSE)


def _checked(plugin: Plugin, declared: list[str]) -> Iterator[tuple[str, str, str, Broken]]:
    for field, name in registered_by(plugin):
        if field in COMPONENTS:
            yield from _component(field, name)
        elif field == "dataset":
            yield field, name, "resident uint8 images and labels, the same each time", _outcome(check_data_set, name)
        else:
            yield field, name, "it is registered", None
    for name in declared:
        yield "study", name, "it expands, its baseline among its arms", _outcome(_expand, name)


def _expand(name: str) -> None:
    study = STUDIES[name]
    if not is_stored_name(study.dataset):
        DATASETS[study.dataset]
    expand(study, "cpu")


def _component(field: str, name: str) -> Iterator[tuple[str, str, str, Broken]]:
    component = COMPONENTS[field][name]
    yield field, name, "its docstring begins with a sentence, for lists and legends", _outcome(sentence_of, component)
    configs = combinations(**{field: name})
    none = None if configs else "it supports not one small configuration"
    yield field, name, f"it works with {plural(len(configs), 'combination')} of others", none
    for promise, check in CONTRACT.items():
        broken = (_outcome(check, config) for config in configs)
        yield field, name, promise, next((reason for reason in broken if reason), None)


def _outcome(check: Callable[[T], object], of: T) -> Broken:
    """Why a check fails, with the line of the plug-in that it came through; None where it does not."""
    try:
        check(of)
    except Exception as error:
        said = " ".join(str(error).split())
        return at_fault(error) or (said if isinstance(error, AssertionError) else f"{type(error).__name__}: {said}")
    return None
