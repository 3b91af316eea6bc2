"""How fast does the notebook's net reach the notebook's accuracy?

Its author recorded 96.97 % on the test set after some 500 epochs of Adam at 3e-4, about 1,950 seconds of one core.
``notebook-recipe`` compares ways to train the same 5,066 parameters for eight passes, on validation; ``notebook``
scores the recipe below over ten seeds, with and without the preset's dropout. It is compiled, once for all seeds:
``vit-ablate run notebook --workers 1`` says how long one core takes, some seven minutes for the four arms.
"""

from studies.design.study import STUDIES, Study
from studies.training.recipe import Recipe
from vit import PRESETS

NET = PRESETS["notebook"].replace(dropout=0.0, attention_dropout=0.0)

RECIPE = Recipe(
    epochs=8,
    batch_size=256,
    optimizer="muon",
    learning_rate=0.015,
    weight_decay=0.01,
    beta2=0.99,
    schedule="linear",
    warmup=0.27,
    label_smoothing=0.03,
    normalize=False,
    compile=True,
)

STUDIES["notebook-recipe"] = Study(
    name="notebook-recipe",
    question="Which recipe trains the notebook's net best in eight passes?",
    base=NET,
    recipe=RECIPE,
    factors={
        "optimizer": ("adamw", "muon"),
        "batch_size": (256, 512),
        "learning_rate": (0.0075, 0.015, 0.03),
    },
    seeds=2,
    quick={"epochs": 1, "compile": False},
)

STUDIES["notebook"] = Study(
    name="notebook",
    question="Does the notebook's net reach the notebook's 96.97 % in ten seconds, and does its dropout help?",
    base=NET,
    recipe=RECIPE,
    factors={"dropout": (0.0, 0.1), "attention_dropout": (0.0, 0.1)},
    seeds=10,
    quick={"epochs": 1, "compile": False},
)
