"""``fit`` and ``fit_packed`` with the arithmetic that the rule gives a short training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studies.data import DataSet
from studies.training import fit as real
from studies.training.compute import Compute, resolve
from studies.training.curves import DivergedError, Fit
from studies.training.recipe import Recipe
from vit import ViTConfig


def compute_of(config: ViTConfig, recipe: Recipe, device: str = "cpu", packed: bool = False) -> Compute:
    return resolve(config, recipe, device, num_steps=1, packed=packed)


def fit(config: ViTConfig, recipe: Recipe, data: DataSet, seed: int, device: str = "cpu", **more: Any) -> Fit:
    return real.fit(config, recipe, data, seed, compute_of(config, recipe, device), device, **more)


def fit_packed(
    config: ViTConfig, recipes: Sequence[Recipe], data: DataSet, seeds: Sequence[int], device: str = "cpu"
) -> list[Fit | DivergedError]:
    compute = compute_of(config, recipes[0], device, packed=True)
    return real.fit_packed(config, recipes, data, seeds, compute, device)
