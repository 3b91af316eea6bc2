"""What the head reads: every registered pooling around the baseline, and over a grid of learning rates.

At one learning rate the answer is in part which pooling likes that rate; the ViT paper found class token and mean
equal, each at its own (arXiv 2010.11929, appendix D.3 and figure 9). ``vit-ablate run pooling-rates --tune 12`` draws
that picture: the grid, and every pooling at a rate and weight decay found for it. About eleven minutes on two cores.
"""

from studies.catalog.ablations import RECIPE
from studies.design.study import STUDIES, Study
from vit import POOLINGS, PRESETS

STUDIES["pooling"] = Study(
    name="pooling",
    question="Class token, mean or attention pooling?",
    base=PRESETS["tiny"],
    recipe=RECIPE,
    factors={"pooling": POOLINGS},
    quick={"epochs": 1},
)

STUDIES["pooling-rates"] = Study(
    name="pooling-rates",
    question="Class token, mean or attention pooling, each at which learning rate?",
    base=PRESETS["tiny"],
    recipe=RECIPE,
    factors={"pooling": ("cls", "mean", "map"), "learning_rate": (2.75e-3, 5.5e-3, 1.1e-2, 2.2e-2, 4.4e-2)},
    quick={"epochs": 1},
)
