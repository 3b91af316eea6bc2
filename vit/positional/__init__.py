"""How a model learns where a patch was: added to tokens, rotated into queries and keys, or a logit bias.

One scheme a file; every module of this folder is imported and registers its class.
"""

from vit.positional.scheme import POSITIONALS, Positional
from vit.registry import import_all

__all__ = ["POSITIONALS", "Positional"]

import_all(__name__, __path__)
