"""The command that checks a person's own components: check."""

from __future__ import annotations

from typing import Annotated

import typer

from studies.cli.console import app


@app.command()
def check(
    plugin: Annotated[str, typer.Argument(metavar="FILE|NAME", help="my_scheme.py, or an installed entry point.")],
) -> None:
    """Hold a plug-in to what every component promises; exit code 1 if a promise is broken."""
    from studies.cli.doing.checking import check_plugin

    check_plugin(plugin)
