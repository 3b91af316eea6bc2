"""A trial of a search: trained and scored on validation alone, and given up where it is hopeless."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studies.data import load
from studies.training.curves import Epoch
from studies.training.fit import fit
from studies.training.signs import Sign
from studies.training.upkeep import Upkeep
from studies.trial.record import Outcome
from studies.trial.setup import Setup
from studies.trial.trial import describe, failed

FIRST_SEED = 1_000_000
"""Searching begins here: far above any number of seeds that arms are evaluated with."""

Hopeless = Callable[[int, float], bool]
"""Whether to give a trial up, from the number of an epoch and its validation accuracy."""


class GivenUp(Exception):
    """A trial was hopeless; no error."""


def run_tuning_trial(
    setup: Setup, seed: int, device: str, hopeless: Hopeless | None = None, signs: Path | None = None
) -> Outcome:
    """Train one model as ``run_trial`` does, and never look at the test set; it says in ``signs`` how far it is.

    The record's ``pruned`` says whether it was given up after the last epoch of its ``curve``.

    Raises:
        MachineError: as ``run_trial``.
    """
    started, curve = time.perf_counter(), list[dict[str, Any]]()
    sign = Sign([setup.trial_hash(seed)], device, signs)
    known = describe(setup, seed, device)

    def on_epoch(epoch: Epoch) -> None:
        curve.append(epoch.as_dict())
        if hopeless and epoch.epoch < setup.recipe.epochs and hopeless(epoch.epoch, epoch.val_accuracy):
            raise GivenUp

    pruned, end = False, Outcome({})
    try:
        data = load(setup.dataset)
        compute = setup.compute_on(device, len(data.train))
        known |= dataclasses.asdict(compute)
        fit(setup.config, setup.recipe, data, seed, compute, device, on_epoch, Upkeep(sign=sign))
    except GivenUp:
        pruned = True
    except Exception as error:  # one bad trial never ends a study
        end = failed(error)
    finally:
        sign.over()
    last = {name: curve[-1][name] for name in ("val_accuracy", "val_loss", "train_loss")} if curve else {}
    seconds = {"wall_seconds": time.perf_counter() - started}
    return Outcome({**known, **last, "curve": curve, "pruned": pruned, **seconds}, end.reason, end.trace)
