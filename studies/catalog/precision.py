"""Do bfloat16 and the compiler change what is learned? The preset `shallow` in both, ten paired seeds.

`studies/compute.py` trains wide models in bfloat16 where the processor multiplies it, and compiles long trainings;
this is the licence, for ReLU. Above 98 % seeds scatter little, so that ten of them tell about a tenth of a point.
About seven minutes on two cores.
"""

from studies.catalog.speedrun import RECIPE
from studies.design import STUDIES, Study
from vit import PRESETS

STUDIES["precision"] = Study(
    name="precision",
    question="Does training in bfloat16, or through the compiler, change the accuracy?",
    base=PRESETS["shallow"],
    recipe=RECIPE.replace(epochs=4, batch_size=512, dtype="float32", compile=False),
    factors={"dtype": ("float32", "bfloat16"), "compile": (False, True)},
    seeds=10,
    quick={"epochs": 1, "batch_size": 2048},
)
