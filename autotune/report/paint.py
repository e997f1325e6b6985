"""Colours of the pictures, for light and for dark screens, and what each trial is drawn in."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class Paint:
    """The colours of a page: its ground, what is written on it, and faint lines.

    `before` is the untrained model's, `chance` what the best passes on other prompts.
    """

    page: str
    ink: str
    faint: str
    before: str
    chance: str


LIGHT = Paint(page="#ffffff", ink="#1f2328", faint="#c8cdd3", before="#9a5b00", chance="#b3261e")
DARK = Paint(page="#161b22", ink="#e6edf3", faint="#444c56", before="#e0a341", chance="#ff7b72")

COLOURS = ("#3b7dd8", "#d9730d", "#2e9e6b", "#b5559c", "#8a8f98", "#c2a000")
"""Told apart by lightness too, and readable on both pages."""

GREY = "#8a8f98"
"""What belongs to no trial."""

ROOM_BELOW_ZERO = 0.04
"""Of the height of a scale that begins at 0: what lies at 0 would else hide behind the axis."""


def colour_of(place: int) -> str:
    """The colour of the trial at this place in the run, from 0."""
    return COLOURS[place % len(COLOURS)]


def show_from_zero(axes: "Axes") -> None:
    """Begin a scale of shares a little below 0; its first tick is 0."""
    _, top = axes.get_ylim()
    axes.set_ylim(bottom=-ROOM_BELOW_ZERO * top, top=top)
