"""One self-contained page that answers a study's question: ``report.html``."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from studies.design.plan import Plan, fixed_facts
from studies.findings.components import legend
from studies.findings.findings import Findings
from studies.findings.words import hundredths, probability
from studies.report import page_tables
from studies.report.charts import Axis, curves_charts, dots_chart, forest_chart, heat_maps, scatter_chart
from studies.report.charts.dots import MOST_DOTS
from studies.report.charts.levels import LevelMarks
from studies.report.charts.scatter import front_numbers
from studies.report.charts.svg import marker, tag
from studies.report.colours import DARK, LIGHT, level_class
from studies.report.downloads import downloads
from studies.report.galleries import Shown
from studies.report.images import PagePicture
from studies.report.readme import num_looks
from studies.report.tracebacks import failures

SPEED = Axis("training throughput", "images/s", more_is_better=True)
MEMORY = Axis("peak GPU memory", "MiB", more_is_better=False, digits=1)


def page(found: Findings, galleries: Sequence[Shown] = (), beside: Path | None = None) -> str:
    """The page as text; whatever came from a person is escaped. ``beside`` is a folder that has the tables already."""
    environment = _environment()
    source = environment.get_template("report.js").render()
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        found=found,
        galleries=galleries,
        pictures=_pictures(galleries),
        shown_arms={shown.cell for shown in galleries},
        downloads=downloads(found, beside),
        plan=found.plan,
        counts=found.runs["status"].value_counts().to_dict(),
        n=int(found.cells["n"].max()),
        most_dots=MOST_DOTS,
        margin=hundredths(found.plan.compares.margin, 1),
        alpha=hundredths(found.plan.compares.alpha, 0),
        looks=num_looks(found),
        light=LIGHT,
        dark=DARK,
        script=Markup(source),
        script_hash=digest,
        fixed=fixed_facts(found.plan),
        components=legend(found.plan),
        commits=found.provenance.get("commit", "").split(", "),
        memory_source=", ".join(sorted(set(found.cells["gpu_memory_source"].dropna()))),
        **_charts(found),
        **_tables(found),
    )


def _pictures(galleries: Sequence[Shown]) -> dict[str, list[tuple[Shown, PagePicture | None]]]:
    """The same picture of every arm side by side, by its name."""
    names = dict.fromkeys(picture.name for shown in galleries for picture in shown.pictures)
    by_name = [(shown, {picture.name: picture for picture in shown.pictures}) for shown in galleries]
    return {name: [(shown, pictures.get(name)) for shown, pictures in by_name] for name in names}


def _charts(found: Findings) -> dict[str, Any]:
    plan, runs, cells = found.plan, found.runs, found.cells
    some = bool((cells["n"] > 0).any())
    return {
        "forest": forest_chart(found.effects, found.contrasts),
        "maps": heat_maps(plan, runs),
        "dots": dots_chart(plan, runs, cells) if some else "",
        "fronts": [
            _front(found, front, axis)
            for front, axis in ((found.speed_front, SPEED), (found.memory_front, MEMORY))
            if front is not None
        ],
        "curves": curves_charts(plan, runs, cells),
        "legend": _legend(plan, shapes=False),
        "shape_legend": _legend(plan, shapes=True),
    }


def _front(found: Findings, front: pd.DataFrame, axis: Axis) -> dict[str, Any]:
    """A chart, and the arms that are on its front or may be."""
    numbers = front_numbers(front)
    likely = front[front["on_front"] | (front["probability"] >= 0.05)].sort_values("accuracy", ascending=False)
    members = [
        {
            "name": name,
            "number": numbers.get(str(name), ""),
            "accuracy": row["accuracy"],
            "cost": f"{row['cost']:,.{axis.digits}f}",
            "chance": "" if pd.isna(row["probability"]) else probability(row["probability"]),
            "probability": None if pd.isna(row["probability"]) else float(row["probability"]),
        }
        for name, row in likely.iterrows()
    ]
    return {"axis": axis, "chart": scatter_chart(found.plan, front, found.cells, axis), "members": members}


def _tables(found: Findings) -> dict[str, Any]:
    impossible = found.cells[found.cells["unsupported"].notna()]
    return {
        "variance": None if found.variance is None else page_tables.variance(found.variance),
        "tables": [
            page_tables.arms(found.plan, found.cells),
            *([page_tables.contrasts(found.contrasts)] if len(found.contrasts) else []),
            *(page_tables.tuning(found.tuning) if found.tuning else []),
            *(page_tables.search(found.search) if found.search else []),
            *([page_tables.speeds(found.speeds)] if len(found.speeds) else []),
            page_tables.trials(found.plan, found.runs),
        ],
        "verdicts": found.contrasts[found.contrasts["factor"] == "cell"]["verdict"].value_counts().to_dict(),
        "failures": failures(found.runs),
        "impossible": list(zip(impossible["cell"], impossible["unsupported"], strict=True)),
    }


def _legend(plan: Plan, shapes: bool) -> list[tuple[str, list[tuple[str, Markup]]]]:
    """Every level of every factor, with its mark where the chart tells it apart; to be pressed, as a filter."""
    return [
        (name, [(level, _key(colour, shape)) for level, colour, shape in levels])
        for name, levels in LevelMarks(plan).key(shapes)
    ]


def _key(colour: int | None, shape: int | None) -> Markup:
    if colour is None and shape is None:
        return Markup("")
    mark = marker(8, 8, 5, shape or 0, "dot")
    return tag("svg", mark, viewBox="0 0 16 16", class_=f"key {level_class(colour)}", aria_hidden="true")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("studies.report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    environment.filters["slug"] = lambda text: "".join(c if c.isalnum() else "-" for c in str(text))
    return environment


def _code(text: str) -> Markup:
    """Escaped text with what stands in backticks set as code; slashes in it may break a line."""
    parts = str(escape(text)).split("`")
    closed = len(parts) % 2 == 1
    return Markup("").join(
        Markup("<code>" + part.replace("/", "/<wbr>") + "</code>" if i % 2 and closed else part)
        for i, part in enumerate(parts)
    )
