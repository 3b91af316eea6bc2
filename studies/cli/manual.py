"""Every command as a page, from its own declaration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from studies.cli.console import app

MARKUP = re.compile(r"\[/?[a-z_ ]+\]")
EXIT_CODES = """| exit code | meaning |
| ---: | --- |
| 0 | done |
| 1 | a comparison got worse, or a promise is broken |
| 2 | wrong usage: one line says the value, the choices and the fix |
| 3 | finished with failed trials, or the storage is gone |
| 4 | cannot judge: too few seeds |
| 70 | an error of the program itself; the traceback lies in the file that is named |
| 130 | interrupted; the same command goes on |
"""


def manual() -> str:
    """Markdown: one section a command, its usage, arguments and options."""
    import studies.cli  # noqa: F401  declares all of them

    group: Any = typer.main.get_command(app)  # of whichever click typer brings along
    context = group.context_class(group, info_name="vit-ablate")
    parts = [
        "# Commands",
        "Written from the command line itself; `vit-ablate COMMAND --help` says the same.",
        EXIT_CODES,
    ]
    for name, command in sorted(_commands(group, context)):
        inside = command.context_class(command, info_name=name, parent=context)
        parts += [f"## {name}", _text(command.help or ""), f"```text\n{command.get_usage(inside)}\n```"]
        rows = [row for parameter in command.get_params(inside) if (row := _row(parameter, inside))]
        parts.append("\n".join(["| | |", "| --- | --- |", *rows]))
    return "\n\n".join(parts) + "\n"


def _commands(group: Any, context: Any) -> Iterator[tuple[str, Any]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield name, command


def _row(parameter: Any, context: Any) -> str:
    """One argument or option; nothing for one without words."""
    record = parameter.get_help_record(context)
    if record is None:
        return ""
    name, words = record
    return f"| `{name.strip().replace('|', chr(92) + '|')}` | {_text(words)} |".replace("\n", " ")


def _text(words: str) -> str:
    """Without the terminal's markup; nothing of it Markdown's."""
    plain = MARKUP.sub("", words).replace("\\[", "[").replace("|", "\\|")
    return re.sub(r"(?<!`)<(?=[a-z])", r"\\<", " ".join(plain.split()))
