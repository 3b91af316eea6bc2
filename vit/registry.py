"""A dictionary of named components whose errors help: the one lookup of every component."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from vit.config import ViTConfig

T = TypeVar("T")


class UnknownNameError(KeyError):
    """A name that no component was registered under; the message lists the choices."""

    def __str__(self) -> str:
        return str(self.args[0])


class Registry(dict[str, T]):
    """Components of one kind by name, in the order they were registered.

    Args:
        kind: what the components are called in messages, for example ``"chunking"``.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that stores its argument under ``name``.

        Raises:
            ValueError: the name is taken.
        """
        if name in self:
            raise ValueError(f"{self.kind} {name!r} is registered already")

        def store(component: T) -> T:
            self[name] = component
            return component

        return store

    def __missing__(self, name: object) -> T:
        near = difflib.get_close_matches(str(name), self, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownNameError(f"unknown {self.kind} {name!r}{hint}; choices: {', '.join(self)}")


class Component:
    """What a configuration chooses by name: a class with a sentence about itself, and a reason where it cannot be."""

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        """Why it cannot serve this configuration, or None."""
        return None


def import_all(package: str, path: Iterable[str]) -> None:
    """Import every module of a package, by name, so that what they hold registers itself."""
    for module in sorted(iter_modules(path), key=lambda module: module.name):
        import_module(f"{package}.{module.name}")
