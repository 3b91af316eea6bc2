"""A/A: twenty identical arms under different names, 190 pairs of which an honest rule calls none different.

The arms differ in `replica` alone, which gives them other random streams from the same seeds, so their
accuracies scatter like those of arms without any true difference. One epoch a trial; about six minutes on two cores.
"""

from studies.catalog.ablations import RECIPE
from studies.design.study import STUDIES, Study
from vit import PRESETS

STUDIES["aa"] = Study(
    name="aa",
    question="Do identical arms differ?",
    base=PRESETS["tiny"],
    recipe=RECIPE.replace(epochs=1),
    factors={"replica": range(20)},
    seeds=8,
    quick={},
)
