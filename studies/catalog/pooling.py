"""What the head reads: every registered pooling around the baseline."""

from studies.catalog.ablations import RECIPE
from studies.design import STUDIES, Study
from vit import POOLINGS, PRESETS

STUDIES["pooling"] = Study(
    name="pooling",
    question="Class token, mean or attention pooling?",
    base=PRESETS["tiny"],
    recipe=RECIPE,
    factors={"pooling": POOLINGS},
    quick={"epochs": 1},
)
