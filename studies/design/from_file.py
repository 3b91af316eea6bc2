"""A study declared in a Python file of a person's own: run once, where the command runs; workers get plain data."""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb
from typing import Any

from studies.design.settings import DesignError
from studies.design.study import STUDIES, Study, named_by_content
from studies.training.recipe import RecipeError
from vit import ConfigError, UnknownNameError

ENDING = ".py"
"""What is typed for a study and ends so is a file."""
SHORT_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,59}", re.ASCII)
OURS = (ConfigError, DesignError, RecipeError, UnknownNameError)
"""Errors whose message says all; of others the kind is told, too."""


def study_of_file(path: Path) -> Study:
    """The study that a file declares: the one that it calls ``study``, or its only one.

    Raises:
        DesignError: the file cannot be read or run, or declares none; names file and line.
    """
    before = dict(STUDIES)
    try:
        _refuse_doubles(path)
        names = runpy.run_path(str(path), run_name="a_study_of_ones_own")
        declared = list(_declared(names, before))
    except FileNotFoundError as error:
        if error.filename != str(path):
            raise DesignError(_located(path, error)) from None
        raise DesignError(f"there is no file {path}; `vit-ablate new {path}` writes one to start from") from None
    except (Exception, SystemExit) as error:
        raise DesignError(_located(path, error)) from None
    finally:
        STUDIES.clear()
        STUDIES.update(before)
    if not declared:
        raise DesignError(f"{path} declares no Study: write study = Study(name=..., ...) in it")
    if len(declared) > 1:
        listed = ", ".join(study.name for study in declared)
        raise DesignError(f"{path} declares several studies, {listed}: call the one to run study")
    if not SHORT_NAME.fullmatch(declared[0].name):
        raise DesignError(f"{path}: name={declared[0].name!r} must be at most 60 letters, digits and ._-")
    return named_by_content(declared[0])


def _declared(names: dict[str, Any], before: dict[str, Study]) -> Iterator[Study]:
    """What a file's variables hold and what it registered, each once, without the studies of the catalog."""
    if isinstance(names.get("study"), Study):
        yield names["study"]
        return
    seen = list(before.values())
    for value in (*names.values(), *STUDIES.values()):
        if isinstance(value, Study) and not any(value is one for one in seen):
            seen.append(value)
            yield value


class _LineError(ValueError):
    """What is wrong in a line of the file."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _refuse_doubles(path: Path) -> None:
    """A key that stands twice in one dictionary: Python keeps the last and says nothing."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        seen: set[Any] = set()
        for key in node.keys if isinstance(node, ast.Dict) else ():
            if isinstance(key, ast.Constant):
                if key.value in seen:
                    raise _LineError(key.lineno, f"{key.value!r} stands twice in one dictionary: keep one")
                seen.add(key.value)


def _located(path: Path, error: BaseException) -> str:
    """``FILE:LINE: what is wrong``, in one line; the line is the last one of the file that was being run."""
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    text = next(iter(said.strip().splitlines()), "")
    if not isinstance(error, (*OURS, _LineError)):
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    line = _line(path, error)
    return f"{path}:{line}: {text}" if line else f"{path}: {text}"


def _line(path: Path, error: BaseException) -> int | None:
    if isinstance(error, _LineError):
        return error.line
    if isinstance(error, SyntaxError) and error.filename in (str(path), None):
        return error.lineno
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    return lines[-1] if lines else None
