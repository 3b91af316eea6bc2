"""`list components`: the screen, the page in docs/, the legend of a report, all from the classes themselves."""

from pathlib import Path

import pytest

import tiny
import vit
from studies.cli.doing.listing import components_page
from studies.findings.components import legend
from vit import COMPONENTS, POOLINGS, ViTConfig
from vit.contract import sentence_of

DOCS = Path(vit.__file__).parents[1] / "docs"


def test_the_page_in_the_docs_is_current():
    """`vit-ablate list components --markdown > docs/components.md` makes it so."""
    assert (DOCS / "components.md").read_text(encoding="utf-8") == components_page()


def test_the_page_has_every_component_and_every_field():
    page = components_page()
    for field, registry in COMPONENTS.items():
        assert f"## {field}\n" in page
        for name, component in registry.items():
            assert f"| `{name}`" in page
            assert sentence_of(component).replace("``", "`")[:60].replace("|", "\\|") in page
    for field in ViTConfig.__dataclass_fields__:
        assert f"## {field}\n" in page or f"| `{field}` |" in page


def test_a_new_component_is_listed_by_itself(monkeypatch, capsys):
    class Median(POOLINGS["mean"]):
        """The median of every [dimension] over the patches."""

    monkeypatch.setitem(POOLINGS, "median", Median)
    assert "| `median` | The median of every [dimension] over the patches. |" in components_page()
    assert tiny.vit_ablate("list", "components") == 0
    assert "median" in capsys.readouterr().out


def test_the_page_is_printed_as_it_is(capsys):
    assert tiny.vit_ablate("list", "components", "--markdown") == 0
    assert capsys.readouterr().out == components_page()


def test_markdown_is_of_components(capsys):
    assert tiny.vit_ablate("list", "--markdown") == 2
    assert "--markdown goes with `vit-ablate list components`" in capsys.readouterr().err


@pytest.mark.parametrize("field", ["pooling", "positional"])
def test_a_legend_says_what_levels_are(field):
    plan = tiny.plan({field: list(COMPONENTS[field])[:2], "learning_rate": (0.01, 0.02)})
    names = list(COMPONENTS[field])[:2]
    assert legend(plan) == [(f"{field}: {name}", sentence_of(COMPONENTS[field][name])) for name in names]
