"""Train on resident data: a pure function of configuration, recipe, arithmetic, data and seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from studies.data import DataSet
from studies.training.compute import Compute
from studies.training.curves import DivergedError, Epoch, Fit
from studies.training.packed import Packed
from studies.training.recipe import Recipe
from studies.training.session import Session
from studies.training.single import Single
from studies.training.upkeep import Upkeep
from vit import ViTConfig


def train(session: Session, after_epoch: Callable[[], None] = lambda: None, upkeep: Upkeep | None = None) -> None:
    """The epoch loop, from wherever the session stands to its last epoch, or until every model has diverged.

    Validation is scored after every epoch; seconds are those of batches and steps.

    Raises:
        TimedOutError: it takes longer than ``upkeep`` allows.
    """
    upkeep = upkeep or Upkeep()
    upkeep.begin(session)
    with session.dropout, session.paths, session.clock.pauses:
        for _ in range(session.curves.epoch, session.recipe.epochs):
            session.clock.start()
            for images, labels in session.batches():
                session.step(images, labels)
                upkeep.after_step(session)
            session.end_epoch()
            if session.curves.all_diverged:
                break
            session.curves.scored(session.evaluate())
            after_epoch()
        upkeep.end(session)


def fit(
    config: ViTConfig,
    recipe: Recipe,
    data: DataSet,
    seed: int,
    compute: Compute,
    device: str = "cpu",
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    upkeep: Upkeep | None = None,
) -> Fit:
    """Train ``config`` by ``recipe`` on ``data.train``, computed as ``compute`` says.

    On one CPU model, with one thread, the result is the same bit for bit whatever runs beside it; another processor
    gives other bits. On a GPU the step is replayed from a CUDA graph, unless ``compute`` says to compile.

    Raises:
        DivergedError: the loss became NaN or infinite.
        RecipeError: the batch is larger than the data.
        TimedOutError: it takes longer than ``upkeep`` allows.
    """
    session = Single(config, recipe, data.to(device), seed, compute, device)
    train(session, lambda: on_epoch(session.curves.points[0][-1]), upkeep)
    (result,) = session.results()
    if isinstance(result, DivergedError):
        raise result
    return result


def fit_packed(
    config: ViTConfig,
    recipes: Sequence[Recipe],
    data: DataSet,
    seeds: Sequence[int],
    compute: Compute,
    device: str = "cpu",
    upkeep: Upkeep | None = None,
) -> list[Fit | DivergedError]:
    """Train one model per recipe and seed as ``fit`` does, all together; one that diverges hurts no other.

    Seconds are each model's share: those of the pack, divided by its models.

    Raises:
        ValueError: not one recipe a seed, recipes that cannot go together, or a compiler is asked for.
        RecipeError: the batch is larger than the data.
        TimedOutError: it takes longer than ``upkeep`` allows.
    """
    session = Packed(config, recipes, data.to(device), seeds, compute, device)
    train(session, upkeep=upkeep)
    return session.results()
