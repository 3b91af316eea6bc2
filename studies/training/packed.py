"""Several models of one configuration trained as one program, each as if it were alone: seeds, or rates.

Every model keeps its own streams of initialisation, order, augmentation, drop path and dropout. On a CPU it draws what
it would draw alone, and results are equal but for the rounding of batched products. On another device dropout
of all models is one joint draw: as random, and repeatable, but it depends on who is packed together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from studies.data import DataSet
from studies.training.batches import packed_batches
from studies.training.compute import Compute
from studies.training.curves import DivergedError, Fit
from studies.training.dropouts import PackDropout
from studies.training.paths import DropPaths
from studies.training.recipe import Recipe
from studies.training.score import Score, evaluate_packed
from studies.training.session import Session
from studies.training.steps.choice import packed_step_of
from studies.training.steps.packed import stacked_models
from vit import ViTConfig
from vit.stacked import StackedViT


class Packed(Session):
    """One model per recipe and seed.

    Raises:
        ValueError: not one recipe a seed, recipes that cannot go together, or a compiler is asked for.
    """

    model: StackedViT

    def __init__(
        self,
        config: ViTConfig,
        recipes: Sequence[Recipe],
        data: DataSet,
        seeds: Sequence[int],
        compute: Compute,
        device: str,
    ) -> None:
        _check(recipes, seeds, compute)
        super().__init__(recipes, seeds, data)
        self.model = stacked_models(config, self.seeds, compute, device, self.recipe.init)
        self.update, self.pack = packed_step_of(self.model, recipes, compute, device)
        self.optimizer = self.pack.inner
        self.paths = DropPaths(self.model, self.seeds, self.recipe.batch_size, device)
        self.dropout = PackDropout(self.seeds, device)

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Images ``(m, b, c, h, w)`` and labels ``(m, b)``."""
        self.streams.rewind()
        return packed_batches(self.prepare, self.recipe, self.streams.generators, self.taken_of_epoch)

    def set_rates(self, step: int, num_steps: int) -> None:
        """Every model's own."""
        self.pack.set_rates(step, num_steps)

    def evaluate(self) -> list[Score]:
        """One score a model."""
        return evaluate_packed(self.model, self.data.val, self.prepare)

    def results(self) -> list[Fit | DivergedError]:
        """Seconds are each model's share: those of the pack, divided by its models."""
        return self.curves.results(self.model.unstack())


def shared_part(recipe: Recipe) -> Recipe:
    """The recipe without what may differ within a pack: learning rate, weight decay, replica."""
    return recipe.replace(learning_rate=0.0, weight_decay=0.0, replica=0)


def _check(recipes: Sequence[Recipe], seeds: Sequence[int], compute: Compute) -> None:
    if not seeds or len(recipes) != len(seeds):
        raise ValueError(f"{len(recipes)} recipes for {len(seeds)} seeds: give one recipe a seed, and at least one")
    if any(shared_part(recipe) != shared_part(recipes[0]) for recipe in recipes):
        raise ValueError("recipes of one pack may differ in learning_rate, weight_decay and replica only")
    if compute.compile:
        raise ValueError("compile=True: a compiled model cannot be packed; train it alone")
