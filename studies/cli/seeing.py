"""Commands that look: into a trained model, at this machine, at the statistics themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.table import Table

from bench.doctor import diagnose
from studies.calibration import calibrate as simulate_studies
from studies.cli.console import WORSE, Device, DeviceOption, Results, app, folder_of, out, resolve_device
from studies.data import DATASETS, DataError, load
from studies.design import DesignError
from studies.ledger import Ledger
from studies.looking import draw, draw_beside, look_at, weights_of
from studies.markdown import key_values, markdown
from studies.provenance import command, machine, source_state, versions
from studies.tables import write


@app.command()
def look(
    study: Annotated[str | None, typer.Argument(help="A study or a results folder.", metavar="[STUDY]")] = None,
    cell: Annotated[str | None, typer.Option(help="An arm.", show_default="the baseline")] = None,
    against: Annotated[str | None, typer.Option(help="Another arm, drawn beside it.")] = None,
    weights: Annotated[Path | None, typer.Option(help="A safetensors file instead of a study.", dir_okay=False)] = None,
    image: Annotated[int, typer.Option(help="Which test image single-image pictures show.")] = 0,
    labels: Annotated[str, typer.Option(help="Labels to compare.")] = "3,7,8",
    to: Annotated[Path | None, typer.Option(help="Folder of the pictures.", file_okay=False)] = None,
    results: Results = Path("results"),
) -> None:
    """Draw what a trained model sees: cuts, positions, attention, gradients, mistakes."""
    wanted = parse_labels(labels)
    if (study is None) == (weights is None):
        raise DesignError("give either a STUDY or --weights FILE")
    if weights is None:
        folder = folder_of(results, study or "")
        name = cell or Ledger(folder).plan.baseline
        weights, target = weights_of(folder, name), folder / "pictures" / name.replace("/", "_")
    else:
        name, target = weights.stem, weights.parent / f"{weights.stem}-pictures"
    target = to or target
    seen = look_at(weights, image, wanted)
    with out.status(f"drawing what {name} sees"):
        drawn = draw(seen, target)
        if against is not None:
            other = look_at(weights_of(weights.parent.parent, against), image, wanted)
            drawn.paths.extend(draw_beside({name: seen, against: other}, target))
    for path in drawn.paths:
        out.print(str(path), soft_wrap=True, highlight=False)
    for picture, reason in drawn.missing.items():
        out.print(f"no {picture}: {reason}", soft_wrap=True, highlight=False)


@app.command()
def doctor(device: DeviceOption = Device.auto) -> None:
    """Measure this machine's limits and check versions, device and data."""
    table = Table("what", "value", title="vit-ablate doctor", title_justify="left")
    for name, value in diagnose(resolve_device(device)):
        table.add_row(name, str(value))
    for name in DATASETS:
        table.add_row(f"data set {name}", data_state(name))
    out.print(table)


def parse_labels(text: str) -> tuple[int, ...]:
    """``"3,7,8"`` to numbers.

    Raises:
        DesignError: something else.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise DesignError(f"--labels {text!r}: write numbers with commas between, for example 3,7,8") from None


def data_state(name: str) -> str:
    """Whether a data set can be read."""
    try:
        data = load(name)
    except DataError as error:
        return f"broken: {error}"
    return f"ok: {len(data.train):,} train, {len(data.val):,} validation, {len(data.test):,} test"


@app.command()
def calibrate(
    studies: Annotated[int, typer.Option(min=100, help="Simulated studies per condition.")] = 4000,
    results: Results = Path("results"),
) -> None:
    """Prove the statistics on simulated studies whose truth is known; exit code 1 if a promise is broken."""
    with out.status(f"simulating {studies} studies per condition"):
        table = simulate_studies(studies)
    folder = results / "calibration"
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, "calibration.csv", lambda path: table.to_csv(path, index=False))
    text = calibration_page(table, studies)
    write(folder, "README.md", lambda path: path.write_text(text, encoding="utf-8"))
    broken = table[table["required"] & ~table["passed"]]
    out.print(f"{int(table['required'].sum())} promises, {len(broken)} broken: {folder}/README.md", highlight=False)
    if len(broken):
        out.print(markdown(broken.round(4)), soft_wrap=True, highlight=False, markup=False)
        raise typer.Exit(WORSE)


def calibration_page(table: pd.DataFrame, studies: int) -> str:
    """The promises, then the stress tests, then where the numbers come from."""
    facts = {"command": f"`{command()}`", **machine("cpu"), **source_state(), **versions()}
    shown = table.round(4).drop(columns=["required"])
    return "\n\n".join(
        [
            "# Do the statistics keep their word?",
            f"{studies:,} simulated studies per noise, number of seeds and kind of truth: 24 arms on shared seeds, "
            "accuracies near 97 % of 10,000 test images. A row passes if `observed` lies between `low` and `high`.",
            "## Promised",
            markdown(shown[table["required"]]),
            "## Under stress: not promised",
            markdown(shown[~table["required"]]),
            "## Provenance",
            key_values(facts) + "\n",
        ]
    )
