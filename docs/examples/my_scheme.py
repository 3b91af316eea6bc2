"""A plug-in: positions that fade with the distance from the middle of the image, and a study of them.

vit-ablate check my_scheme.py
vit-ablate run rings --plugin my_scheme.py
"""

import torch
from torch import nn

from studies.catalog.ablations import RECIPE
from studies.design.study import STUDIES, Study
from vit import PRESETS
from vit.positional import POSITIONALS, Positional
from vit.positional.geometry import grid_positions


@POSITIONALS.register("rings")
class Rings(Positional):
    """One learned vector for all patches at the same distance from the middle, added to their tokens."""

    def __init__(self, config):
        super().__init__(config)
        rows, columns = grid_positions(config)
        distance = torch.hypot(rows - rows.mean(), columns - columns.mean())
        radii, ring = torch.unique((4 * distance).round(), return_inverse=True)  # quarters of a patch
        self.register_buffer("ring", ring, persistent=False)
        self.vectors = nn.Embedding(len(radii), config.embed_dim)  # draws its own weights, in reset_parameters
        self.num_prefix_tokens = config.num_prefix_tokens

    @classmethod
    def unsupported(cls, config):
        if min(config.grid_size) > 1:
            return None
        return "positional='rings' needs rows and columns: with strips, distance from the middle is all there is"

    def add(self, tokens):
        prefix = self.vectors.weight.new_zeros(self.num_prefix_tokens, tokens.shape[-1])
        return tokens + torch.cat([prefix, self.vectors(self.ring)])


STUDIES["rings"] = Study(
    name="rings",
    question="Is the distance from the middle all that a model must know of a place?",
    base=PRESETS["tiny"],
    recipe=RECIPE,
    factors={"positional": ("none", "rings", "learned")},
    quick={"epochs": 1},
)
