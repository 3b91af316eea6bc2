"""Can a short training of a small model be believed? Sixteen arms at four budgets.

Budgets cross width (16, 64) and passes (1, 10) over 5,000 of the training images; every arm sees all four, and
``vit-ablate fidelity fidelity`` says how far each of the three short ones ranks the arms as the long one does.
"""

from studies.catalog.ablations import RECIPE
from studies.design.study import STUDIES, Study
from vit import PRESETS

STUDIES["fidelity"] = Study(
    name="fidelity",
    question="Does a ranking at width 16 after one pass hold at width 64 after ten?",
    base=PRESETS["tiny"].replace(embed_dim=64),
    recipe=RECIPE.replace(epochs=10, train_images=5_000, learning_rate=5e-3),
    factors={
        "chunking": ("horizontal", "tiles"),
        "positional": ("none", "learned", "sinusoidal", "rope2d"),
        "pooling": ("cls", "mean"),
        "embed_dim": (16, 64),
        "epochs": (1, 10),
    },
    seeds=3,
    quick={"train_images": 1_000},
)
