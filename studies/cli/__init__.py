"""The command line: what a person types.

``running``, ``reading``, ``merging``, ``exporting``, ``judging``, ``seeing``, ``checking`` and ``data`` declare the
commands: names, options, help. ``doing`` holds what they do.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer
from rich.text import Text

# in the order of the help text
# isort: off
from studies.cli import running, reading, merging, exporting, judging, seeing, checking, data  # noqa: F401  registers the commands

# isort: on
from studies.cli.console import INTERRUPTED, PIPE_CLOSED, USAGE, app, err, one_line, plugins_first
from studies.cli.errors import mended_by, unforeseen


def main() -> NoReturn:
    """Entry point: an error is one line and an exit code, never a traceback."""
    try:
        ended = app(plugins_first(sys.argv[1:]), prog_name="vit-ablate", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        raise SystemExit(INTERRUPTED) from None
    except SystemExit:  # of typer, whose 1 for a reader that went away, `| head`, would mean "worse"
        raise SystemExit(PIPE_CLOSED) from None
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # which printed the help when it was made
            raise SystemExit(USAGE) from None
        said, code = mended_by(error) or unforeseen(error)
        err.print(Text.assemble(("error: ", "bold red"), one_line(said)), soft_wrap=True)
        raise SystemExit(code) from None
    raise SystemExit(ended if isinstance(ended, int) else 0)
