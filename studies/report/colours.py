"""Every colour of a report, once: figures, charts and the style sheet take them from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scheme:
    """The colours of a page.

    Args:
        paper: behind everything.
        card: behind what lies on it.
        ink: text.
        soft: text of less weight.
        line: rules and grids.
        accent: links, and the shade of heat maps; no level has this colour.
        band: the shade of what does not matter.
        heat_most: opacity of a heat map's highest value.
        levels: of the levels of the first factor, in turn, and of nothing else; verdicts are told by shapes.
    """

    paper: str
    card: str
    ink: str
    soft: str
    line: str
    accent: str
    band: str
    heat_most: float
    levels: tuple[str, ...]

    @property
    def heat(self) -> str:
        """Red, green and blue, for ``rgba()``."""
        return ", ".join(str(value) for value in bytes.fromhex(self.accent.removeprefix("#")))


LIGHT = Scheme(
    paper="#fbfaf7",
    card="#ffffff",
    ink="#1c1e22",
    soft="#5b6068",
    line="#e4e1da",
    accent="#5b3fa0",
    band="rgba(0, 0, 0, 0.05)",
    heat_most=0.5,
    # Okabe and Ito (2008), told apart with any colour vision; their yellow is too light on paper
    levels=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#b8a800"),
)
DARK = Scheme(
    paper="#15171b",
    card="#1c1f24",
    ink="#e9e6e1",
    soft="#a3a8b0",
    line="#31353c",
    accent="#b9a5f0",
    band="rgba(255, 255, 255, 0.07)",
    heat_most=0.48,
    levels=("#4aa3dd", "#f08038", "#2fc196", "#e29cc6", "#f0b63f", "#8fd0f7", "#a9a9a9", "#d3c53c"),
)
NUM_LEVELS = len(LIGHT.levels)


def level_colour(number: int) -> str:
    """On light paper, of the level (or factor) with this number; after the last colour the first comes again."""
    return LIGHT.levels[number % NUM_LEVELS]


def level_class(number: int | None) -> str:
    """The same as a class of the style sheet; None is no level."""
    return "faint" if number is None else f"k{number % NUM_LEVELS}"
