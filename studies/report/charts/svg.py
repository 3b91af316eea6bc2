"""Elements of SVG as escaped markup, and the two widths in which charts are drawn."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup, escape

WIDE, NARROW = 1040.0, 360.0


def tag(name: str, *children: str, **attributes: object) -> Markup:
    """An element; a trailing underscore is dropped (``class_``), others become hyphens, None is left out.

    Text is escaped unless it is markup already.
    """
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{shown}>{''.join(escape(child) for child in children)}</{name}>")


def both_widths(draw: Callable[[float], tuple[float, list[Markup]]], label: str) -> Markup:
    """What ``draw(width) -> (height, elements)`` draws, wide and narrow, as two images of which one is shown."""
    return Markup("").join(
        picture(width, *draw(width), label, class_name=name) for width, name in ((WIDE, "wide"), (NARROW, "narrow"))
    )


def picture(width: float, height: float, elements: list[Markup], label: str, class_name: str) -> Markup:
    """An ``<svg>`` with a label for those who cannot see it."""
    return tag(
        "svg",
        *elements,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
        class_=f"chart {class_name}",
    )


def line(x1: float, y1: float, x2: float, y2: float, class_name: str) -> Markup:
    """A line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_name)


def text(x: float, y: float, words: str, class_name: str = "", anchor: str | None = None) -> Markup:
    """Words on the baseline y; ``anchor`` is start, middle or end."""
    return tag("text", words, x=x, y=y, class_=class_name or None, text_anchor=anchor)


def path(points: list[tuple[float, float]], class_name: str, closed: bool = False) -> Markup:
    """Straight lines through points."""
    d = "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points) + ("Z" if closed else "")
    return tag("path", d=d, class_=class_name)


def marker(x: float, y: float, size: float, shape: int, class_name: str) -> Markup:
    """A circle, square, triangle, diamond, ... by number."""
    if shape % 4 == 0:
        return tag("circle", cx=x, cy=y, r=size, class_=class_name)
    corners = {
        1: [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        2: [(0.0, -1.25), (1.15, 0.85), (-1.15, 0.85)],
        3: [(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
    }[shape % 4]
    return path([(x + size * dx, y + size * dy) for dx, dy in corners], class_name, closed=True)


def _short(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
