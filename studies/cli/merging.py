"""The command that joins two results of one study: merge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studies.cli.again import AllowMixed
from studies.cli.console import app
from studies.cli.options import Results, Storage


@app.command()
def merge(
    a: Annotated[str, typer.Argument(help="A study or a results folder.", metavar="A")],
    b: Annotated[str, typer.Argument(help="Another one of the same study, say a colleague's.", metavar="B")],
    to: Annotated[
        Path | None,
        typer.Option(
            help="Folder of results to write the two to; A and B stay as they are.",
            file_okay=False,
            show_default="B is added to A",
        ),
    ] = None,
    results: Results = Path("results"),
    storage: Storage = None,
    allow_mixed: AllowMixed = False,
) -> None:
    """Join two results of one study: other seeds, other trials; what differs is refused and named.

    A trial that both have counts once if it is equal bit for bit; with two different results it is refused.
    """
    from studies.cli.doing.merging import merge_results

    merge_results(a, b, to, results, storage, allow_mixed)
