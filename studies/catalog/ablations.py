"""The default study: chunking x positional scheme x pooling, 24 cells.

Run it with ``nox -s ablations`` (9.5 to 10 minutes on two cores of an AMD Zen 4; 75 seconds with ``-- --quick``).
The baseline is the seed's design: tiles of 7, learned positions, class token.
"""

from studies.design.study import STUDIES, Study
from studies.training.recipe import Recipe
from vit import PRESETS

# of the preset `tiny`, for studies on one choice
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
    base=PRESETS["compact"],
    recipe=RECIPE.replace(learning_rate=1.4e-2, weight_decay=0.06, warmup=0.15),
    factors={
        "chunking": ("horizontal", "vertical", "tiles"),
        "positional": ("none", "learned", "sinusoidal", "rope2d"),
        "pooling": ("cls", "mean"),
    },
    seeds=8,
    quick={"epochs": 1},
)
