"""What ``vit-ablate new`` writes: a study that runs as it is, and says what else could stand in it."""

START = '''\
"""{name}: one sentence on what you want to know.

    vit-ablate plan {file}        # cells, trials, minutes, and what could be detected
    vit-ablate run {file}         # run it, or go on with it: finished trials are not run again
    vit-ablate report {file}      # README.md and report.html

The file is run once, by the command; the workers get plain data.
"""

from studies.design.study import Study
from studies.training.recipe import Recipe
from vit import PRESETS

study = Study(
    name="{name}",
    question="Does it matter how an image is cut into patches?",
    # the model in which every factor is at its baseline level: a preset (notebook, tiny, compact, small, shallow),
    # PRESETS["tiny"].replace(embed_dim=64), or ViTConfig(...) with every field by name
    base=PRESETS["tiny"],
    # how every arm is trained; what is left out has its default, and a wrong word says what there is
    recipe=Recipe(epochs=2, batch_size=128, learning_rate=0.011, weight_decay=0.03, schedule="linear", warmup=0.2),
    # field of model or recipe -> its levels, the baseline's among them; CHUNKINGS of vit stands for all
    factors={{
        "chunking": ("tiles", "horizontal", "vertical"),
        "num_registers": (0, 4),
    }},
    # which combinations: full; one-at-a-time (the baseline and every single change of it);
    # resolution-3, -4 or -5 (a fraction; `plan` lists which effects it cannot tell apart)
    design="full",
    # repetitions of every arm; `plan` says what so many could detect, --seeds 8 changes it for a run
    seeds=5,
    # images: mnist, fashion-mnist or cifar10; your own with --dataset FOLDER
    dataset="mnist",
    # what --quick changes in the recipe, for a first look
    quick={{"epochs": 1}},
)
'''
