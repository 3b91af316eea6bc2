"""The traceback of an error that ended a trial, for whoever looks for its cause: without secrets, and not endless."""

from __future__ import annotations

import os
import re
import traceback
from pathlib import Path

from studies.trial.provenance import REPOSITORY, mask

LONGEST = 16_000
"""Letters; of a longer one the middle is left out."""
LEFT_OUT = "\n[...]\n"
PASSWORD = "PGPASSWORD"
"""The variable of the environment whose value is not repeated."""
GIVEN = re.compile(r"\b(pgpassword|password|passwd|secret|api_?key|authorization)(['\"]?\s*[=:]\s*)\S+", re.IGNORECASE)


def trace_of(error: BaseException) -> str:
    """As Python prints it, with the errors that led to it; paths begin in the repository or at home, as ``~``."""
    text = "".join(traceback.format_exception(error)).replace(f"{REPOSITORY}{os.sep}", "")
    return _cut(without_secrets(text.replace(str(Path.home()), "~") if Path.home() != Path("/") else text))


def without_secrets(text: str) -> str:
    """Passwords in URLs, in what is said of them, and in the environment become ``***``."""
    if password := os.environ.get(PASSWORD):
        text = text.replace(password, "***")
    return GIVEN.sub(r"\1\2***", mask(text))


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return text[: LONGEST // 3] + LEFT_OUT + text[-(LONGEST - LONGEST // 3) :]
