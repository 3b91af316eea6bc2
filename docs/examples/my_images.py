"""A plug-in: a data set of 16 x 16 images, a bright corner on noise; the class is which corner.

vit-ablate check my_images.py
vit-ablate run chunking --dataset corners --plugin my_images.py
"""

import torch

from studies.data import DATASETS, DataSet, Split


@DATASETS.register("corners")
def corners() -> DataSet:
    """2,000 training, 400 validation and 400 test images of four classes, the same every time."""
    return DataSet("corners", 4, drawn(2000, 0), drawn(400, 1), drawn(400, 2), ("nw", "ne", "sw", "se"))


def drawn(count: int, seed: int) -> Split:
    """So many images ``(n, 1, 16, 16)`` uint8 and their labels ``(n,)``."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 128, (count, 1, 16, 16), dtype=torch.uint8, generator=generator)
    labels = torch.arange(count) % 4
    for corner in range(4):
        row, column = 8 * (corner // 2), 8 * (corner % 2)
        images[labels == corner, :, row : row + 8, column : column + 8] += 64
    return Split(images, labels)
