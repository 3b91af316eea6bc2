"""Which configurations are the best trade-offs of accuracy, training time, throughput and memory?

``vit-ablate run pareto`` samples 48 configurations, trains each for a pass, scores it on validation, and confirms what
lies on the front with fresh seeds on the test set. ``--max-params 50k --max-memory 200MiB --min-throughput 20000``
leave out what would not fit. About ten minutes on two cores.
"""

from studies.catalog.ablations import RECIPE
from studies.design.space import Choice, Range
from studies.design.study import STUDIES, Study
from vit import PRESETS

STUDIES["pareto"] = Study(
    name="pareto",
    question="Which configurations trade accuracy, training time, throughput and memory best?",
    base=PRESETS["tiny"],
    recipe=RECIPE.replace(epochs=1),
    factors={},
    seeds=5,
    quick={"batch_size": 500},
    objectives=True,
    search={
        "chunking": Choice(("horizontal", "vertical", "tiles")),
        "patch_size": Choice((4, 7, 14)),
        "positional": Choice(("none", "learned", "sinusoidal", "rope2d")),
        "pooling": Choice(("cls", "mean", "map")),
        "embed_dim": Choice((16, 32, 48, 64)),
        "depth": Range(1, 4),
        "num_heads": Choice((1, 2, 4)),
        "mlp_ratio": Choice((1.0, 2.0, 4.0)),
        "num_registers": Choice((0, 1, 2)),
        "learning_rate": Range(4e-3, 3e-2, log=True),
    },
)
