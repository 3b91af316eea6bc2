"""`list`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import asdict

from studies.cli.console import out
from studies.cli.grid import Grid
from studies.cli.known import known

PAGE = """# Components

What a model can be made of; each is one class that names its source. `vit-ablate list components --markdown` writes
this page from the classes themselves, and a test says whether it is current. `--set FIELD=NAME` chooses one for all
arms of a study; a study whose factor is the field compares them. How to add your own: [plugins.md](plugins.md).
"""


def list_studies() -> None:
    """Print what is known of every study."""
    rows = [(s.name, s.factors, str(s.cells), str(s.trials), s.question) for s in known().studies]
    out.print(Grid(("study", "factors", "cells", "trials", "question"), rows, right=(2, 3)))


def list_components() -> None:
    """Print every component, with the first sentence about it."""
    rows = [(found.field, found.name, found.sentence) for found in known().components]
    out.print(Grid(("field", "component", "what it is"), rows))


def print_json(what: str) -> None:
    """``studies`` or ``components``, one object each."""
    rows = [asdict(one) for one in (known().studies if what == "studies" else known().components)]
    print(json.dumps(rows, ensure_ascii=False, indent=1))


def print_page() -> None:
    """Print ``docs/components.md``."""
    print(components_page(), end="")


def components_page() -> str:
    """Every component and every field of a model, as Markdown."""
    return "\n".join([PAGE, *_components(), *_fields()])


def _components() -> Iterator[str]:
    from vit import COMPONENTS, ViTConfig

    for field, registry in COMPONENTS.items():
        yield f"## {field}\n\n| name | what it is |\n|---|---|"
        for name, component in registry.items():
            default = " (default)" if name == ViTConfig.__dataclass_fields__[field].default else ""
            text = " ".join(inspect.cleandoc(component.__doc__ or "").split())
            yield f"| `{name}`{default} | {text.replace('``', '`').replace('|', chr(92) + '|')} |"
        yield ""


def _fields() -> Iterator[str]:
    """The fields that name no component, from the docstring of the configuration."""
    from vit import COMPONENTS, ViTConfig

    _, _, arguments = inspect.cleandoc(ViTConfig.__doc__ or "").partition("Args:\n")
    arguments = inspect.cleandoc(arguments.partition("\n\nRaises:")[0])
    yield "## Further fields\n\n| field | default | what it is |\n|---|---|---|"
    for entry in arguments.replace("\n    ", " ").splitlines():
        name, _, text = entry.partition(": ")
        if name not in COMPONENTS:
            text = " ".join(text.split()).replace("``", "`")
            yield f"| `{name}` | {ViTConfig.__dataclass_fields__[name].default} | {text} |"
    yield ""
