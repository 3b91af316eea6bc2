"""Many models of one configuration as one program: weights stacked on a leading axis m, batches joined.

A small net leaves a GPU idle between kernels; m of them need the same kernels, each m times as large. The
forward code stays ViT's own: activations run through it as ``(m*b, n, d)``, model by model, and only what
holds weights is replaced: known layers by batched ones (``layers``, and ``narrow`` on a GPU), anything else by its
own code mapped over the models (``component``). The sum of the models' losses gives each its own gradients, nothing
of the others'.
"""

from vit.stacked.models import StackedViT, stack

__all__ = ["StackedViT", "stack"]
