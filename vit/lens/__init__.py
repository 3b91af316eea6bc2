"""What a model sees: attention, rollout, distances, positions, input gradients, mistakes.

Nothing here changes the model: mode, gradients and attention kernel are afterwards as they were before.
Images are floats ``(b, c, h, w)``, prepared as in training. Besides the shapes of the package: k classes,
l blocks, m patches (n tokens are the prefix tokens and the m patches).
"""

from vit.lens.attention import (
    attention_distance,
    attention_maps,
    median_attention,
    readout_attention,
    readout_weights,
    rollout,
)
from vit.lens.evaluating import NothingToSeeError, at_rest
from vit.lens.geometry import patch_centres, patch_of_pixel, to_pixels
from vit.lens.gradients import input_gradient, label_gradients
from vit.lens.mistakes import Mistake, confusion, predict, worst_mistakes
from vit.lens.positions import Similarity, position_similarity, position_vectors

__all__ = [
    "Mistake",
    "NothingToSeeError",
    "Similarity",
    "at_rest",
    "attention_distance",
    "attention_maps",
    "confusion",
    "input_gradient",
    "label_gradients",
    "median_attention",
    "patch_centres",
    "patch_of_pixel",
    "position_similarity",
    "position_vectors",
    "predict",
    "readout_attention",
    "readout_weights",
    "rollout",
    "to_pixels",
    "worst_mistakes",
]
