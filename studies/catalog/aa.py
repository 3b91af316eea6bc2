"""A/A: two identical arms under different names. An honest comparison finds nothing.

The arms differ in `replica` alone, which gives them other random streams from the same seeds, so their
accuracies scatter like those of two arms without any true difference.
"""

from studies.catalog.ablations import RECIPE
from studies.design import STUDIES, Study
from vit import PRESETS

STUDIES["aa"] = Study(
    name="aa",
    question="Do two identical arms differ?",
    base=PRESETS["tiny"],
    recipe=RECIPE,
    factors={"replica": (0, 1)},
    seeds=10,
    quick={"epochs": 1},
)
