"""No positions."""

from __future__ import annotations

from vit.positional.scheme import POSITIONALS, Positional


@POSITIONALS.register("none")
class NoPosition(Positional):
    """No positions: the model sees a bag of patches."""
