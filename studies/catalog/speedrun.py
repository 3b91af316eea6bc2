"""How soon does one core reach 99 % on MNIST?

``speedrun-recipe`` compares ways to train the preset `shallow` for seven passes; the recipe below has the highest
mean validation accuracy there. ``speedrun`` gives it less and more passes, each arm with a schedule of its own
length: read the first arm whose mean test accuracy is 99 %, and its seconds. About six minutes on two cores.
"""

from studies.design.study import STUDIES, Study
from studies.training.recipe import Recipe
from vit import PRESETS

RECIPE = Recipe(
    epochs=7,
    batch_size=256,
    optimizer="muon",
    learning_rate=0.01,
    weight_decay=0.02,
    beta2=0.95,
    schedule="linear",
    warmup=0.3,
    label_smoothing=0.05,
    max_translation=1,
)

STUDIES["speedrun-recipe"] = Study(
    name="speedrun-recipe",
    question="Which recipe trains the preset `shallow` best in seven passes?",
    base=PRESETS["shallow"],
    recipe=RECIPE,
    factors={"batch_size": (256, 512), "learning_rate": (0.01, 0.02)},
    seeds=2,
    quick={"epochs": 1},
)

STUDIES["speedrun"] = Study(
    name="speedrun",
    question="How many seconds of one core take the preset `shallow` to 99 %?",
    base=PRESETS["shallow"],
    recipe=RECIPE,
    factors={"epochs": (7, 9, 12)},
    seeds=5,
    quick={"batch_size": 2048},
)
