"""Pictures of what a model sees: matplotlib figures of a trained ViT, for any chunking."""

from studies.pictures import attention, gradients, inputs, positions  # noqa: F401  they register their pictures
from studies.pictures.gallery import Gallery, compare, gallery, side_by_side
from studies.pictures.look import PICTURES, Look

__all__ = ["PICTURES", "Gallery", "Look", "compare", "gallery", "side_by_side"]
