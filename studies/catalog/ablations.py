"""The default study: chunking x positional scheme x pooling, 24 cells.

Run it with ``nox -s ablations`` (9 minutes on two cores of an AMD Zen 5, 14 of a Zen 3; ``-- --quick`` about one).
The baseline is the seed's design: tiles of 7, learned positions, class token.
"""

from studies.design.study import STUDIES, Study
from studies.training.recipe import Recipe
from vit import PRESETS

RECIPE = Recipe(
    epochs=2,
    batch_size=128,
    learning_rate=1.1e-2,
    weight_decay=0.03,
    beta2=0.95,
    schedule="linear",
    warmup=0.2,
)

STUDIES["ablations"] = Study(
    name="ablations",
    question="How to cut an image, how to tell where a patch was, and what should the head read?",
    base=PRESETS["tiny"],
    recipe=RECIPE,
    factors={
        "chunking": ("horizontal", "vertical", "tiles"),
        "positional": ("none", "learned", "sinusoidal", "rope2d"),
        "pooling": ("cls", "mean"),
    },
    quick={"epochs": 1},
)
