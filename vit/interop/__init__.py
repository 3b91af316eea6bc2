"""Weights from other libraries and to them, tensor by tensor, so that both models compute the same logits.

A source is one class in one file; ``load_weights`` and ``export_weights`` know it by its name.
"""

from vit.interop import notebook, timm, transformers  # noqa: F401  registers them
from vit.interop.source import SOURCES, InteropError, Source, export_weights, load_weights
from vit.interop.transfer import Transfer, transfer

__all__ = ["SOURCES", "InteropError", "Source", "Transfer", "export_weights", "load_weights", "transfer"]
