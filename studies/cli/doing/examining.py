"""`doctor`."""

from __future__ import annotations

from bench.doctor import diagnose
from studies.cli.console import out
from studies.cli.doing.planned import resolve_device
from studies.cli.grid import Grid
from studies.data import DATASETS, DataError, load
from studies.data.fetching import offline


def print_diagnosis(device: str) -> None:
    """What this machine and this installation are."""
    rows = [(name, str(value)) for name, value in diagnose(resolve_device(device))]
    rows += [(f"data set {name}", data_state(name)) for name in DATASETS]
    out.print(Grid(("what", "value"), rows, "vit-ablate doctor"))


def data_state(name: str) -> str:
    """Whether a data set can be read."""
    try:
        with offline():
            data = load(name)
    except DataError as error:
        return str(error)
    return f"ok: {len(data.train):,} train, {len(data.val):,} validation, {len(data.test):,} test"
