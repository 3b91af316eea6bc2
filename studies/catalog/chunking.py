"""How the image is cut: every registered chunking around the baseline."""

from studies.catalog.ablations import RECIPE
from studies.design.study import STUDIES, Study
from vit import CHUNKINGS, PRESETS

STUDIES["chunking"] = Study(
    name="chunking",
    question="Does it matter how an image is cut into patches?",
    base=PRESETS["tiny"],
    recipe=RECIPE,
    factors={"chunking": CHUNKINGS},
    quick={"epochs": 1},
)
