"""From what was asked for on the command line to a plan and a device."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

import studies.catalog  # noqa: F401  registers the studies
from studies.cli.declaring import is_file
from studies.cli.doing.datasets import announce, named
from studies.cli.doing.settings_told import tell
from studies.cli.options import Asked
from studies.data import load
from studies.design.expand import check_data, expand
from studies.design.for_data import on_data
from studies.design.from_file import study_of_file
from studies.design.from_flags import TEMPLATE, study_of_flags
from studies.design.plan import Plan
from studies.design.settings import DesignError, parse_settings
from studies.design.sizes import check_memory
from studies.design.study import STUDIES, Study
from studies.training.initial import keep, start_from
from studies.trial.plugins import rehearse
from vit import ViT
from vit.interop import InteropError


def resolve_device(device: str) -> str:
    """The device to use; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises:
        DesignError: it is not there.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = ["cuda"] * bool(gpus) + ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    if device == "auto":
        return there[0]
    numbered = [f"cuda:{i}" for i in range(gpus)]
    if device not in (*there, *numbered):
        choices = ", ".join((*there, *numbered))
        raise DesignError(f"--device {device}: torch {torch.__version__} finds none here; choices: {choices}")
    return str(device)


def study_called(text: str) -> Study:
    """Of the catalog, or declared in a file of a person's own.

    Raises:
        DesignError: the file cannot be run, or declares none.
    """
    return study_of_file(Path(text)) if is_file(text) else STUDIES[text]


def declared(asked: Asked) -> Study:
    """The study that was named, with the factors, baseline and design that were typed.

    Raises:
        DesignError: it cannot be run, or a factor is fixed by ``--set`` as well.
    """
    study = study_called(asked.study or TEMPLATE)
    if not (asked.factors or asked.baseline or asked.design):
        return study
    study = study_of_flags(study, asked.factors or [], asked.baseline, asked.design)
    if both := [name for name in parse_settings(asked.settings or []) if name in study.factors]:
        raise DesignError(f"--set {both[0]} fixes what is a factor: leave one of them out")
    return study


def settings_of(settings: list[str] | None, init: Path | None) -> dict[str, Any]:
    """What was typed behind ``--set``, and weights to start from, which are kept.

    Raises:
        DesignError: not NAME=VALUE.
        WeightsError: the file cannot be read.
    """
    return parse_settings(settings or []) | ({"init": keep(init)} if init else {})


def check_start(plan: Plan) -> None:
    """Every arm can start from the weights it is to start from.

    Raises:
        DesignError: one cannot.
    """
    for cell in plan.runnable:
        if cell.recipe.init:
            try:
                start_from(cell.recipe.init, ViT(cell.config))
            except InteropError as error:
                raise DesignError(f"the arm {cell.name}: {error}") from None


def plan_of(asked: Asked) -> Plan:
    """The study as asked for on the command line, checked against its data."""
    study = declared(asked)
    if asked.quick:
        study = study.as_quick()
    if asked.dataset is not None:
        name = named(asked)
        announce(name)
        study = on_data(study, load(name))
    asked_of = study
    study = study.with_settings(settings_of(asked.settings, asked.init))  # last: what was typed wins over --quick
    made = expand(study, resolve_device(asked.device))
    check_start(made)
    for cell in made.runnable:
        check_memory(cell.name, cell.to_train, made.device)
        rehearse(cell.name, cell.config, cell.recipe, cell.dataset)
    check_data(made, load(made.dataset))  # a damaged file shows here too, before anything starts
    tell(asked_of, asked.settings or [])  # an error stands alone
    first, count = asked.first_seed, asked.seeds or len(made.seeds)
    return dataclasses.replace(made, seeds=list(range(first, first + count)))
