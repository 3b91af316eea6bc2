"""`look`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studies.cli.console import UsageError, busy, say
from studies.cli.doing.folders import folder_of
from studies.ledger.folder import ResultsFolder
from studies.report.pictures import PICTURES
from studies.report.pictures.weights_file import arms_of, draw, draw_beside, look_at, weights_of


@dataclass(frozen=True)
class Target:
    """The model to look into, by its weights, and where its pictures go."""

    name: str
    weights: Path
    pictures: Path
    study: ResultsFolder | None = None


def target_of(study: str | None, cell: str | None, weights: Path | None, results: Path) -> Target:
    """An arm of a study, the baseline if none is named, or a file.

    Raises:
        UsageError: both a study and a file, or neither.
    """
    if weights is not None and study is None:
        return Target(weights.stem, weights, weights.parent / f"{weights.stem}-pictures")
    if study is None or weights is not None:
        raise UsageError("give either a STUDY or --weights FILE")
    folder = folder_of(results, study)
    name = cell or arms_of(folder).baseline
    return Target(name, weights_of(folder, name), folder.pictures(name), folder)


def draw_pictures(target: Target, against: str | None, image: int, labels: tuple[int, ...], to: Path | None) -> None:
    """Draw every picture of a model, beside another arm's where one is named, and say of each where it is.

    Raises:
        UsageError: another arm beside a file, or a folder that cannot be written; before anything is drawn.
    """
    pictures = to or target.pictures
    if against is not None and target.study is None:
        raise UsageError(f"--against {against} goes with a STUDY, whose arms it chooses from")
    if not ResultsFolder(pictures).writable:
        raise UsageError(f"{pictures} cannot be written: name a folder for the pictures with --to")
    weights = {target.name: target.weights}
    if against is not None and target.study is not None:
        weights[against] = weights_of(target.study, against)
    looks = {name: look_at(file, image, labels) for name, file in weights.items()}
    for picture in PICTURES:
        with busy(f"drawing what {target.name} sees: {picture}"):
            drawn = draw(looks[target.name], pictures, [picture])
        for path in drawn.paths:
            say(str(path))
        for name, reason in drawn.missing.items():
            say(f"no {name}: {reason}")
    if against is not None:
        for path in draw_beside(looks, pictures):
            say(str(path))


def parse_labels(text: str) -> tuple[int, ...]:
    """``"3,7,8"`` to numbers.

    Raises:
        UsageError: something else.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--labels {text!r}: write numbers with commas between, for example 3,7,8") from None
