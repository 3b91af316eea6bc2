"""Ways to cut an image into patches, each written twice: with einops, and with view/permute by hand.

One chunking a file; every module of this folder is imported and registers its class.
Both backends of a chunking return bit-equal tensors for any legal shape, contiguous or not.
A patch is flattened in the order (channel, row, column), as in the ViT paper, section 3.1.
"""

from vit.chunking.base import BACKENDS, CHUNKINGS, Chunking
from vit.chunking.cutting import chunk
from vit.chunking.sizes import default_patch_size, divisors, pair, patch_shape
from vit.registry import import_all

__all__ = ["BACKENDS", "CHUNKINGS", "Chunking", "chunk", "default_patch_size", "divisors", "pair", "patch_shape"]

import_all(__name__, __path__)
