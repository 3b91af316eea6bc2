"""The data set that was asked for, by its name or by the path of a person's own images."""

from __future__ import annotations

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from studies.cli.console import err, say
from studies.cli.images import Images
from studies.data import name_of
from studies.data.own.telling import told
from studies.data.places import look_first_in


def named(images: Images) -> str:
    """Its name, once it is in the cache.

    Raises:
        UnknownNameError: neither a name nor a path.
        DataError: no usable images.
    """
    if images.data_dir is not None:
        look_first_in(images.data_dir)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(f"decoding {images.dataset}", total=None, visible=False)

        def show(done: int, of: int) -> None:
            progress.update(task, completed=done, total=of, visible=True)

        return name_of(str(images.dataset), images.image_size, images.resize.value, images.refuse_broken, show)


def announce(name: str) -> None:
    """Say what is to be known of a person's own images; nothing of published ones."""
    for line in told(name):
        say(line)
