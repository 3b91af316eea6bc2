"""The model card: what was trained, on what, how well, with which verdict, and how to load it.

After Mitchell et al., arXiv 1810.03993: what it is, what it was evaluated on, and what it is not good for.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from studies.data import DataSet
from studies.findings.columns import ARMS, CONTRASTS, TRIALS
from studies.findings.findings import Findings
from studies.report.markdown import code, escaped, key_values, prose
from studies.report.models.formats import Format, Images
from vit import ViT


@dataclass(frozen=True)
class Trained:
    """A trained model: where it comes from, and how its images are prepared.

    Args:
        name: of the arm, or of the file.
        model: on the CPU.
        data: what it was trained on.
        images: how its input is made.
        notes: of its weights file.
    """

    name: str
    model: ViT
    data: DataSet
    images: Images
    notes: Mapping[str, str]

    @property
    def seed(self) -> int:
        """That it was trained from."""
        return int(self.notes["seed"])


def card_text(trained: Trained, form: type[Format], found: Findings | None) -> str:
    """The card as Markdown; without ``found``, the study, it makes no claim of accuracy."""
    environment = Environment(
        loader=PackageLoader("studies.report"), undefined=StrictUndefined, trim_blocks=True, autoescape=False
    )
    environment.filters |= {"code": code, "escaped": escaped, "prose": prose}
    config = trained.model.config
    changed = {f.name: getattr(config, f.name) for f in dataclasses.fields(config) if f.name not in ("num_strips",)}
    return environment.get_template("model_card.md.j2").render(
        name=trained.name,
        config=config,
        params=trained.model.num_params(),
        facts=key_values(changed),
        recipe=key_values(json.loads(trained.notes["recipe"])),
        data=trained.data,
        seed=trained.seed,
        images=trained.images,
        mean=_numbers(trained.images.mean),
        std=_numbers(trained.images.std),
        usage=form.usage,
        files=form.files,
        scores=None if found is None else _scores(found, trained),
        provenance="" if found is None else key_values(found.provenance),
    )


def _scores(found: Findings, trained: Trained) -> dict[str, Any]:
    """What the study says of the arm, and of the very model."""
    runs, cells, contrasts = found.runs, found.cells, found.contrasts
    own = runs[(runs["cell"] == trained.name) & (runs["seed"] == trained.seed)]
    arm = cells[cells["cell"] == trained.name].iloc[0]
    against = contrasts[(contrasts["factor"] == "cell") & (contrasts["a"] == trained.name)]
    return {
        "study": found.folder,
        "question": found.plan.question,
        "baseline": found.plan.baseline,
        "own": TRIALS["test_accuracy"].text(own.iloc[0].to_dict()),
        "mean": ARMS["test_accuracy_mean"].text(arm.to_dict()),
        "interval": ARMS["interval"].text(arm.to_dict()),
        "n": int(arm["n"]),
        "verdict": _verdict(against.iloc[0]) if len(against) else None,
    }


def _verdict(row: pd.Series[Any]) -> dict[str, str]:
    values = row.to_dict()
    return {name: CONTRASTS[name].text(values) for name in ("difference", "interval", "p_holm", "verdict")}


def _numbers(values: Any) -> str:
    return ", ".join(f"{value:.4f}" for value in values)
