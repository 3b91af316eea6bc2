"""What the commands share: the program itself, its consoles, exit codes and the error of wrong words.

Nothing here is heavy: a declaration (``running``, ``reading``, ``seeing``) is read on every start, torch and pandas
only by the command that was asked for, which imports its body from ``studies.cli.doing`` when it is called.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status
from rich.text import Text

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Which design choices of a Vision Transformer matter on your images, and how sure can you be?",
)
UNBROKEN = 100_000
"""Columns of what is no terminal: a program that reads lines wants them whole."""
# what is printed has users' words in it, paths and reasons: none of it is markup
out = Console(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else UNBROKEN)
err = Console(stderr=True, markup=False, emoji=False, highlight=False)

WORSE, USAGE, FAILED_TRIALS, UNDECIDED, UNFORESEEN, INTERRUPTED, PIPE_CLOSED = 1, 2, 3, 4, 70, 130, 141

LONGEST_LINE = 3000


class UsageError(ValueError):
    """Words that cannot be meant; the message names the word, the choices and the fix."""


def say(text: str) -> None:
    """One line, never wrapped."""
    out.print(printable(text), soft_wrap=True)


def printable(text: str) -> str:
    """Without what a terminal would obey: names of files and reasons may hold anything."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def one_line(text: str) -> str:
    """A message without line breaks and what a terminal would obey, cut where it is absurdly long."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} …"


def busy(text: str) -> Status:
    """A context that turns a spinner beside the text."""
    return out.status(Text(text))  # of a plain string it would read markup


def is_screen() -> bool:
    """Whether output can be redrawn in place; rich alone believes FORCE_COLOR, which CI sets."""
    return out.is_interactive and sys.stdout.isatty()


def is_styled() -> bool:
    """Whether bold can be told from the rest."""
    return out.is_terminal and out.color_system is not None


def show_version(asked: bool) -> None:
    """Print the version and end."""
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            say(f"vit-ablate {version('vit-ablate')}")
        except PackageNotFoundError:
            say("vit-ablate, not installed")
        raise typer.Exit


PLUGIN = "--plugin"


def plugins_first(words: Sequence[str]) -> list[str]:
    """What was typed, with every ``--plugin FILE`` in front of the command, where the program itself takes it."""
    words, first = list(words), list[str]()
    for place in reversed([i for i, word in enumerate(words) if word == PLUGIN or word.startswith(f"{PLUGIN}=")]):
        first[:0] = words[place : place + (2 if words[place] == PLUGIN else 1)]
        del words[place : place + (2 if words[place] == PLUGIN else 1)]
    return [*first, *words]


def load_plugins(asked: list[str] | None) -> None:
    """Run what was named; studies first, so that a name which one of them has is taken."""
    if asked:
        import studies.catalog  # noqa: F401
        from studies.trial.plugins import load

        for text in asked:
            load(text)


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            PLUGIN,
            metavar="FILE|NAME",
            callback=load_plugins,
            help="Your own components, data sets or studies: a file, or an installed entry point. "
            "Goes with every command, also behind it; repeatable.",
        ),
    ] = None,
) -> None:
    """The program, before any command; its text of help stands at ``app``."""
