"""Do bfloat16 and the compiler change what is learned? The preset `shallow` in both, twenty paired seeds.

`studies/training/compute.py` trains in bfloat16 where that is faster, in a twin of the model (`steps/lowered.py`), and
compiles long trainings; this is the licence, for ReLU. Above 98 % seeds scatter little, so that twenty of them tell
a tenth of a point, and differences are called equivalent within that. 17 minutes on two cores of an AMD Zen 4.
"""

import dataclasses

from studies.catalog.speedrun import RECIPE
from studies.design.study import STUDIES, Study
from vit import PRESETS

STUDIES["precision"] = Study(
    name="precision",
    question="Does training in bfloat16, or through the compiler, change the accuracy?",
    base=PRESETS["shallow"],
    recipe=RECIPE.replace(epochs=4, batch_size=512, dtype="float32", compile=False),
    factors={"dtype": ("float32", "bfloat16"), "compile": (False, True)},
    seeds=20,
    compares=dataclasses.replace(Study.compares, margin=0.001),
    quick={"epochs": 1, "batch_size": 2048},
)
