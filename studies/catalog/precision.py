"""Does bfloat16 change what is learned? The `small` preset in both number formats, ten paired seeds.

`studies/compute.py` trains wide models in bfloat16 where the processor multiplies it; this is the licence.
"""

from studies.catalog.ablations import RECIPE
from studies.design import STUDIES, Study
from vit import PRESETS

STUDIES["precision"] = Study(
    name="precision",
    question="Does training in bfloat16 change the accuracy?",
    base=PRESETS["small"],
    recipe=RECIPE.replace(learning_rate=4e-3, dtype="float32"),
    factors={"dtype": ("float32", "bfloat16")},
    seeds=10,
    quick={"epochs": 1},
)
