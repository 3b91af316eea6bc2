"""The command line: what a person types."""

from __future__ import annotations

from typing import NoReturn

from rich.markup import escape

# in the order of the help text
# isort: off
from studies.cli import running, reading, seeing  # noqa: F401  registers the commands

# isort: on
from studies.cli.console import USAGE, app, err
from studies.data import DataError
from studies.design import DesignError
from studies.export import ExportError
from studies.ledger import LedgerError
from studies.looking import LookError
from studies.recipe import RecipeError
from studies.weights import WeightsError
from vit import ConfigError, UnknownNameError

USAGE_ERRORS = (
    ConfigError,
    DataError,
    DesignError,
    ExportError,
    LedgerError,
    LookError,
    RecipeError,
    UnknownNameError,
    WeightsError,
)


def main() -> NoReturn:
    """Entry point: errors that a person can mend are one message, not a traceback."""
    try:
        app()
    except USAGE_ERRORS as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(USAGE) from None
    raise SystemExit(0)
