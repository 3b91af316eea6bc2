"""Refuse what this machine cannot hold before they cost hours or the machine."""

from __future__ import annotations

from bench.machine import memory_gib_of
from studies.design.levels import DesignError
from studies.trial.setup import Setup
from vit.bounds import about_weights

BYTES_A_WEIGHT = 16
"""The weight, its gradient and two moments of Adam in float32."""
BYTES_AN_ACTIVATION = 2 * 2
"""What enters both halves of a block is kept for the backward pass, in two bytes at least."""


def check_memory(name: str, setup: Setup, device: str) -> None:
    """Refuse a training that needs more memory than there is, by a bound that none goes below.

    Raises:
        DesignError: names the arm, what it needs, what there is, and the fix.
    """
    needed, there = least_gib(setup), memory_gib_of(device)
    if needed > there:
        raise DesignError(
            f"{name!r} needs at least {needed:,.0f} GiB to train, and {device} has {there:,.0f}: "
            "use a smaller model or a smaller batch_size"
        )


def least_gib(setup: Setup) -> float:
    """Below what its training takes, in GiB."""
    config = setup.config
    kept = setup.recipe.batch_size * config.num_tokens * config.embed_dim * config.depth
    return (BYTES_A_WEIGHT * about_weights(config) + BYTES_AN_ACTIVATION * kept) / 2**30
