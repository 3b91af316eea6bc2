"""From tokens to the one vector that the head reads.

One pooling a file; every module of this folder is imported and registers its class.
"""

from vit.pooling.base import POOLINGS, Pooling
from vit.registry import import_all

__all__ = ["POOLINGS", "Pooling"]

import_all(__name__, __path__)
