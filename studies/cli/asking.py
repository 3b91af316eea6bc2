"""Commands whose options are the fields of dataclasses."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints


def asking(body: Callable[..., None]) -> Callable[..., None]:
    """A command of all fields of the dataclasses that ``body`` takes, each an option, and of what else it takes."""
    hints = get_type_hints(body, include_extras=True)
    parts: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    types, defaults, shared = dict[str, Any](hints), dict[str, Any](), dict[str, list[str]]()
    for name, parameter in inspect.signature(body).parameters.items():
        if name not in parts:
            defaults[name] = parameter.default
            continue
        own = sorted(fields(parts[name]), key=lambda field: bool(field.kw_only))  # inherited ones last
        shared[name] = [field.name for field in own]
        defaults |= {field.name: field.default for field in own}
        types |= get_type_hints(parts[name], include_extras=True)

    def command(**words: Any) -> None:
        made = {name: parts[name](**{key: words.pop(key) for key in keys}) for name, keys in shared.items()}
        body(**made, **words)

    command.__name__, command.__doc__ = body.__name__, body.__doc__
    command.__annotations__ = {name: types[name] for name in defaults}
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=types[name],
            )
            for name, default in defaults.items()
        ]
    )
    return command
