"""An import points down: ``vit`` below ``bench`` below ``studies``, whose rooms stand in one strict order."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import studies
import vit

ROOT = Path(vit.__file__).parents[1]

ROOMS = (
    "cli",
    "report",
    "findings",
    "running",
    "ledger",
    "catalog",
    "design",
    "trial",
    "training",
    "data",
    "statistics",
)
"""From the top of the house to the bottom, as the docstring of ``studies`` draws it."""

WALLS = {
    "typer": {"cli"},
    "rich": {"cli"},
    "optuna": {"ledger"},
    "optuna_dashboard": {"ledger"},
    "sqlalchemy": {"ledger"},
    "filelock": {"ledger"},
    "scipy": {"statistics"},
    "statsmodels": {"statistics"},
    "patsy": {"statistics"},
    "jinja2": {"report"},
    "pooch": {"data"},
    "platformdirs": {"data"},
    "matplotlib": {"report"},
}
"""Library -> the rooms that may import it."""
STANDS_ALONE = "statistics"
CATALOG_MAY_IMPORT = ("studies.catalog", "studies.design", "studies.training.recipe", "vit")
MOST_LINES = 250


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


def room_of(file: Path) -> str:
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
def test_every_module_stands_in_a_room(file):
    assert room_of(file) in {"__init__", *ROOMS}, f"{room_of(file)} is no room of {', '.join(ROOMS)}"


@pytest.mark.parametrize("file", modules("studies"))
def test_a_room_imports_from_rooms_below_it(file):
    room = room_of(file)
    below = ROOMS[ROOMS.index(room) :] if room in ROOMS else ROOMS  # the front door stands above all of them
    upward = [
        name
        for name in imports_of(file)
        if top(name) == "tests" or (name.startswith("studies.") and name.split(".")[1] not in below)
    ]
    assert upward == [], f"studies.{room} may import from {', '.join(below)}"


@pytest.mark.parametrize("file", modules(f"studies/{STANDS_ALONE}"))
def test_statistics_imports_nothing_of_this_project(file):
    ours = [name for name in imports_of(file) if top(name) in {"studies", "bench", "vit"}]
    assert [name for name in ours if not name.startswith(f"studies.{STANDS_ALONE}")] == []


@pytest.mark.parametrize("file", modules("studies"))
def test_a_library_stays_in_its_room(file):
    room = room_of(file)
    astray = [name for name in imports_of(file) if room not in WALLS.get(top(name), {room})]
    assert astray == [], {top(name): WALLS[top(name)] for name in astray}


@pytest.mark.parametrize("file", modules("studies/catalog"))
def test_a_catalog_entry_is_a_declaration(file):
    allowed = {"vit", *sys.stdlib_module_names}
    names = [name for name in imports_of(file) if top(name) not in allowed]
    assert [name for name in names if not name.startswith(CATALOG_MAY_IMPORT)] == []


@pytest.mark.parametrize("file", modules("studies"))
def test_a_module_is_one_idea(file):
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"{lines} lines: which two ideas are in it?"


def test_the_drawing_names_the_rooms_in_order():
    drawn = [line.split("/")[0].strip() for line in studies.__doc__.splitlines() if line.startswith("    ")]
    assert drawn == list(ROOMS)


def test_every_room_exists():
    folders = {path.parent.name for path in (ROOT / "studies").glob("*/__init__.py")}
    assert folders == set(ROOMS)


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
