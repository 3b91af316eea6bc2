"""`train`."""

from __future__ import annotations

import shlex
from pathlib import Path

import torch

from studies.cli.console import say
from studies.cli.doing.datasets import named
from studies.cli.doing.planned import resolve_device, settings_of
from studies.cli.images import Images
from studies.data import load
from studies.design.for_data import model_for, recipe_for
from studies.design.settings import apply
from studies.design.sizes import check_memory
from studies.findings.words import percent
from studies.training.batches import Preparation
from studies.training.compute import resolve
from studies.training.curves import Epoch
from studies.training.fit import fit
from studies.training.initial import start_from
from studies.training.recipe import Recipe
from studies.training.score import evaluate
from studies.training.weights import save_weights
from studies.trial.setup import Setup
from studies.trial.trial import training_notes
from vit import PRESETS, ViT


def train_one(
    preset: str,
    settings: list[str] | None,
    init: Path | None,
    images: Images,
    seed: int,
    device: str,
    save: Path | None = None,
) -> None:
    """Train a preset, changed by settings, say how it goes, and keep its weights where that is asked for.

    Raises:
        OSError: they cannot be kept there; before anything is trained.
    """
    if save is not None:
        save.parent.mkdir(parents=True, exist_ok=True)
    place = resolve_device(device)
    data = load(named(images))
    declared = model_for(PRESETS[preset], data), recipe_for(Recipe(), len(data.train))
    config, recipe = apply(*declared, settings_of(settings, init))
    setup = Setup(config, recipe, data.name)
    check_memory(preset, setup, place)
    torch.set_num_threads(1)  # as in a study: the same bits, and more threads give a small model nothing
    compute = resolve(config, recipe, place, recipe.num_steps(len(data.train)))
    say(f"computed in {compute}")
    if init:
        say(f"starting from {init}: {start_from(recipe.init, ViT(config))}")

    def told(epoch: Epoch) -> None:
        say(
            f"epoch {epoch.epoch}/{recipe.epochs}  train loss {epoch.train_loss:.4f}  "
            f"validation {percent(epoch.val_accuracy)}  {epoch.seconds:.1f} s"
        )

    fitted = fit(config, recipe, data, seed, compute, place, told)
    data = data.to(place)
    score = evaluate(fitted.model, data.test, Preparation(recipe, data))
    say(f"test accuracy {percent(score.accuracy)}, loss {score.loss:.4f}, {fitted.model.num_params():,} parameters")
    if save is not None:
        save_weights(fitted.model, save, training_notes(setup, seed))
        say(f"weights: {save}; `vit-ablate look --weights {shlex.quote(str(save))}` draws what it sees")
