"""What a trial trains: the model, the recipe and the data, under one hash."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from studies.data import identity
from studies.training.compute import Compute, resolve
from studies.training.initial import identity as identity_of_weights
from studies.training.recipe import Recipe
from studies.trial.plugins import used_by
from vit import ViTConfig

# Raise it when the meaning of a trial changes, a default for example: fields at their default are left out of
# the hash, so that a new field does not make every finished trial a stranger
HASH_VERSION = 2


@dataclass(frozen=True)
class Setup:
    """All that decides the outcome of a trial but the seed; ``dataset`` is a name that ``studies.data.load`` takes."""

    config: ViTConfig
    recipe: Recipe
    dataset: str

    @property
    def content_hash(self) -> str:
        """16 hex digits of every field, and of the plug-ins that it uses."""
        content = [HASH_VERSION, identity(self.dataset), _set_fields(self.config), _recipe_fields(self.recipe)]
        own = [plugin.digest for plugin in used_by(self.config, self.recipe, self.dataset)]
        return _digest([*content, *([own] if own else [])])

    def trial_hash(self, seed: int) -> str:
        """16 hex digits: the identity of the trial of this seed in the ledger."""
        return trial_hash(self.content_hash, seed)

    def compute_on(self, device: str, num_images: int, packed: bool = False) -> Compute:
        """The arithmetic of its training on so many images, alone or in a pack.

        Raises:
            RecipeError: there is not one whole batch.
        """
        return resolve(self.config, self.recipe, device, self.recipe.num_steps(num_images), packed)


def trial_hash(setup_hash: str, seed: int) -> str:
    """As ``Setup.trial_hash``, for whoever has the hash of the setup."""
    return _digest([setup_hash, seed])


def _set_fields(described: ViTConfig | Recipe) -> dict[str, Any]:
    """Fields that differ from their default."""
    values = {f.name: (getattr(described, f.name), f.default) for f in dataclasses.fields(described)}
    return {name: value for name, (value, default) in values.items() if value != default}


def _recipe_fields(recipe: Recipe) -> dict[str, Any]:
    """Of weights to start from, what counts."""
    fields = _set_fields(recipe)
    return {**fields, "init": identity_of_weights(recipe.init)} if recipe.init else fields


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
