"""How the model knows where a patch was: every registered scheme around the baseline."""

from studies.catalog.ablations import RECIPE
from studies.design.study import STUDIES, Study
from vit import POSITIONALS, PRESETS

STUDIES["positional"] = Study(
    name="positional",
    question="Which positional scheme should a small Vision Transformer use?",
    base=PRESETS["tiny"],
    recipe=RECIPE,
    factors={"positional": POSITIONALS},
    quick={"epochs": 1},
)
