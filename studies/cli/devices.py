"""Where to train: the option, and what may be typed for it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

import typer

from studies.cli.console import UsageError


class Device(StrEnum):
    """Where to train."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


def device_named(text: str) -> str:
    """The text, if it names a device, whether it is here or not.

    Raises:
        UsageError: it does not.
    """
    if text not in list(Device) and not re.fullmatch(r"cuda:[0-9]{1,3}", text):
        raise UsageError(f"--device {text!r:.40} is not one of {', '.join(Device)}, or a GPU by its number: cuda:1")
    return str(text)


DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="auto|cpu|cuda|cuda:N|mps",
        help="Where to train; cuda is every GPU, cuda:1 the second.",
        callback=device_named,
    ),
]
