"""An import points down: ``vit`` below ``bench`` below ``studies``, whose modules stand in layers."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import vit

ROOT = Path(vit.__file__).parents[1]

LAYERS = (
    # one trial: train it, measure it
    {"data", "streams", "recipe", "provenance", "compute", "train", "trial", "weights"}
    | {"dropouts", "graphed", "muon", "packed", "program"},
    # which trials, each exactly once
    {"design", "catalog", "ledger", "executors", "measure", "packing", "progress", "runner"},
    # what a person reads
    {"paired", "power", "statistics", "contrasts", "calibration", "anova", "pareto", "seed_variance"}
    | {"tables", "figures", "pictures", "markdown", "report", "screen", "looking", "export", "comparison", "compared"}
    | {"answer", "phrases", "front", "findings", "charts", "sortable", "embedded", "galleries", "html"},
    # what a person types
    {"cli"},
)
LAYER_OF = {unit: number for number, layer in enumerate(LAYERS) for unit in layer}
CATALOG_MAY_IMPORT = ("studies.catalog", "studies.design", "studies.recipe", "vit")


def imports(source: str, package: str) -> Iterator[str]:
    """Absolute dotted names that a module of ``package`` imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            stem = ".".join([*parents, *filter(None, [node.module])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def imports_of(file: Path) -> list[str]:
    return list(imports(file.read_text(encoding="utf-8"), ".".join(file.relative_to(ROOT).parent.parts)))


def modules(package: str) -> list[pytest.param]:
    """Every file of a package; ``test_*`` files stand beside the house, not in it."""
    files = sorted(f for f in (ROOT / package).rglob("*.py") if not f.name.startswith("test_"))
    return [pytest.param(file, id=str(file.relative_to(ROOT))) for file in files]


def unit_of(file: Path) -> str:
    """A module of ``studies``, or a folder of it, by its name in the table above."""
    return file.relative_to(ROOT / "studies").parts[0].removesuffix(".py")


def top(name: str) -> str:
    return name.split(".")[0]


@pytest.mark.parametrize("file", modules("vit"))
def test_vit_imports_torch_and_einops_only(file):
    allowed = {"vit", "torch", "einops", *sys.stdlib_module_names}
    assert [name for name in imports_of(file) if top(name) not in allowed] == []


@pytest.mark.parametrize("file", modules("bench"))
def test_bench_stands_on_vit(file):
    assert [name for name in imports_of(file) if top(name) in {"studies", "tests"}] == []


@pytest.mark.parametrize("file", modules("studies"))
def test_every_module_of_studies_has_a_layer(file):
    unit = unit_of(file)
    assert unit in {"__init__", *LAYER_OF}, (
        f"studies.{unit} stands in no layer: add it to LAYERS in {Path(__file__).name}"
    )


@pytest.mark.parametrize("file", modules("studies"))
def test_studies_imports_point_down(file):
    unit = unit_of(file)
    ceiling = -1 if unit == "__init__" else LAYER_OF.get(unit, len(LAYERS))
    upward = [
        name
        for name in imports_of(file)
        if top(name) == "tests"
        or (name.startswith("studies.") and LAYER_OF.get(name.split(".")[1], len(LAYERS)) > ceiling)
    ]
    assert upward == [], f"studies.{unit} may import its own layer and those below: {LAYERS[: ceiling + 1]}"


@pytest.mark.parametrize("file", modules("studies/catalog"))
def test_a_catalog_entry_is_a_declaration(file):
    allowed = {"vit", *sys.stdlib_module_names}
    names = [name for name in imports_of(file) if top(name) not in allowed]
    assert [name for name in names if not name.startswith(CATALOG_MAY_IMPORT)] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import studies.cli", ["studies.cli"]),
        ("from studies import cli, data", ["studies.cli", "studies.data"]),
        ("from studies.cli import app", ["studies.cli.app"]),
        ("def f():\n    from . import cli", ["studies.catalog.cli"]),
        ("from .. import cli", ["studies.cli"]),
        ("from ..cli import app", ["studies.cli.app"]),
    ],
)
def test_the_reader_of_imports_sees_every_form(source, expected):
    assert list(imports(source, "studies.catalog")) == expected
