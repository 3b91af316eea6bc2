"""The arithmetic of claims; imports nothing of this project.

Names are loaded when they are first asked for: a command that states a question need not load scipy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studies.statistics.intervals import Interval, interval
    from studies.statistics.question import ACCURACY, ALPHA, MARGIN, Question
    from studies.statistics.refereeing import judge
    from studies.statistics.verdicts import SETTLED, VERDICTS, Contrast, as_family, contrast

_HOME = {
    **dict.fromkeys(("ACCURACY", "ALPHA", "MARGIN", "Question"), "question"),
    **dict.fromkeys(("Interval", "interval"), "intervals"),
    **dict.fromkeys(("SETTLED", "VERDICTS", "Contrast", "as_family", "contrast"), "verdicts"),
    "judge": "refereeing",
}

__all__ = [
    "ACCURACY",
    "ALPHA",
    "MARGIN",
    "SETTLED",
    "VERDICTS",
    "Contrast",
    "Interval",
    "Question",
    "as_family",
    "contrast",
    "interval",
    "judge",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
