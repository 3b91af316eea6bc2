"""What has been proposed for small Vision Transformers, one change of the baseline at a time.

Published directions that this can speak of: a convolutional stem and sequence pooling (CCT, arXiv 2104.05704), shifted
patches and local attention (arXiv 2112.13492), registers (arXiv 2309.16588), several class tokens (arXiv 2501.06220).
Schemes that `chunking`, `positional` and `pooling` compare anyway are left to them. About fifteen minutes on two cores.
"""

from studies.catalog.ablations import RECIPE
from studies.design.study import STUDIES, Study
from vit import ACTIVATIONS, ATTENTION_TYPES, NORMS, PRESETS

STUDIES["components"] = Study(
    name="components",
    question="Which of the parts proposed for small Vision Transformers help?",
    base=PRESETS["tiny"],
    recipe=RECIPE,
    factors={
        "chunking": ("tiles", "overlap", "conv", "spt"),
        "positional": ("learned", "learned2d", "alibi2d", "rope2d_mixed"),
        "pooling": ("cls", "max", "seqpool"),
        "norm": NORMS,
        "activation": ACTIVATIONS,
        "attention_type": ATTENTION_TYPES,
        "qk_norm": (False, True),
        "layer_scale": (0.0, 0.1),
        "drop_path": (0.0, 0.1),
        "num_registers": (0, 4),
        "num_class_tokens": (1, 4),
    },
    design="one-at-a-time",
    quick={"epochs": 1},
)
