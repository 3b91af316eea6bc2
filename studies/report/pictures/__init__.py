"""Pictures of what a model sees: matplotlib figures of a trained ViT, for any chunking."""

# modules register their pictures in this order, and a gallery shows them so
# isort: off
from studies.report.pictures import cuts, positions, matrices, attention, gradients, mistakes  # noqa: F401

# isort: on
from studies.report.pictures.gallery import Gallery, compare, gallery, side_by_side
from studies.report.pictures.look import PICTURES, Look

__all__ = ["PICTURES", "Gallery", "Look", "compare", "gallery", "side_by_side"]
