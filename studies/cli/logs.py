"""`run --log`: what is typed for it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from studies.cli.console import UsageError

LOGS = ("tensorboard", "mlflow")
Log = Annotated[
    list[str] | None,
    typer.Option(
        metavar="|".join(LOGS),
        help="Write curves and final metrics there too; repeatable, or with commas.",
    ),
]


def logs_named(asked: list[str]) -> list[str]:
    """Each once.

    Raises:
        UsageError: one is not known, or not installed.
    """
    names = list(dict.fromkeys(name.strip() for text in asked for name in text.split(",")))
    for name in names:
        if name not in LOGS:
            raise UsageError(f"--log {name!r:.40} is not one of {', '.join(LOGS)}")
        if find_spec(name) is None:
            raise UsageError(f"--log {name}: it is not installed: pip install 'vit-ablate[{name}]'")
    return names
