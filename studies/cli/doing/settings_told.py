"""What `--set` was taken to mean, where that may not be what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from studies.cli.console import err, printable
from studies.design.settings import parse_settings
from studies.design.study import Study


def tell(study: Study, texts: Sequence[str]) -> None:
    """Say it beside the output, which may be read by a program."""
    for line in readings(study, texts):
        err.print(printable(line), soft_wrap=True)


def readings(study: Study, texts: Sequence[str]) -> Iterator[str]:
    """Lines about settings of a study, before they are applied.

    Args:
        study: with the factors that it declares.
        texts: ``NAME=VALUE``.
    """
    settings = parse_settings(texts)
    for text in texts:
        name, _, typed = text.partition("=")
        value = settings[name.strip()]
        if isinstance(value, tuple) and not typed.strip().startswith("("):
            yield (
                f"--set {text}: read as one value, {value}, for all arms; to compare several levels write "
                f"--factor {name.strip()}={typed.strip()}"
            )
    fixed = [name for name in settings if name in study.factors]
    left = [name for name in study.factors if name not in settings]
    if fixed:
        rest = f"{', '.join(left)} still varies" if left else "one arm is left, and nothing to compare it with"
        yield f"--set {fixed[0]} fixes a factor of {study.name}: {rest}"
