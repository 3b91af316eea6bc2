"""One self-contained page that answers a study's question: ``report.html``."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from studies import sortable
from studies.answer import variance_table
from studies.charts import Axis, curves_charts, dots_chart, forest_chart, heat_maps, scatter_chart
from studies.charts.levels import Looks
from studies.charts.scatter import front_numbers
from studies.charts.svg import marker, tag
from studies.design import Plan
from studies.embedded import Bench, Embedded
from studies.findings import Findings
from studies.galleries import Shown
from studies.markdown import fixed_facts
from studies.paired import smallest_p
from studies.phrases import probability

SPEED = Axis("training throughput", "images/s", more_is_better=True)
MEMORY = Axis("peak GPU memory", "MiB", more_is_better=False, digits=1)


def page(found: Findings, benches: Sequence[Bench] = (), galleries: Sequence[Shown] = ()) -> str:
    """The page as text; whatever came from a person is escaped."""
    environment = _environment()
    source = environment.get_template("report.js").render()
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        found=found,
        benches=benches,
        galleries=galleries,
        pictures=_pictures(galleries),
        plan=found.plan,
        counts=found.runs["status"].value_counts().to_dict(),
        n=int(found.cells["n"].max()),
        smallest_p=f"{smallest_p(int(found.cells['n'].max())):.2g}",
        script=Markup(source),
        script_hash=digest,
        fixed=fixed_facts(found.plan),
        commits=found.provenance.get("commit", "").split(", "),
        memory_source=", ".join(sorted(set(found.cells["gpu_memory_source"].dropna()))),
        **_charts(found),
        **_tables(found),
    )


def _pictures(galleries: Sequence[Shown]) -> dict[str, list[tuple[Shown, Embedded | None]]]:
    """The same picture of every arm side by side, by its name."""
    names = dict.fromkeys(picture.name for shown in galleries for picture in shown.pictures)
    by_name = [(shown, {picture.name: picture for picture in shown.pictures}) for shown in galleries]
    return {name: [(shown, pictures.get(name)) for shown, pictures in by_name] for name in names}


def _charts(found: Findings) -> dict[str, Any]:
    plan, runs, cells = found.plan, found.runs, found.cells
    some = bool((cells["n"] > 0).any())
    return {
        "forest": forest_chart(plan, found.effects),
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
    variance = variance_table(found.plan, found.runs)
    failed = found.runs[found.runs["status"] == "failed"]
    impossible = found.cells[found.cells["unsupported"].notna()]
    return {
        "variance": None if variance is None else sortable.variance(variance),
        "tables": [
            sortable.arms(found.plan, found.cells),
            *([sortable.contrasts(found.contrasts)] if len(found.contrasts) else []),
            *([sortable.speeds(found.speeds)] if len(found.speeds) else []),
            sortable.trials(found.plan, found.runs),
        ],
        "verdicts": found.contrasts[found.contrasts["factor"] == "cell"]["verdict"].value_counts().to_dict(),
        "failures": [(row["cell"], row["seed"], row["reason"]) for _, row in failed.iterrows()],
        "impossible": list(zip(impossible["cell"], impossible["unsupported"], strict=True)),
    }


def _legend(plan: Plan, shapes: bool) -> list[tuple[str, Markup]]:
    return [
        (
            words,
            tag("svg", marker(8, 8, 5, shape, "dot"), viewBox="0 0 16 16", class_=f"key {colour}", aria_hidden="true"),
        )
        for words, colour, shape in Looks(plan).legend(shapes)
    ]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("studies"),
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
