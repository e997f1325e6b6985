"""Colours of the pictures, for light and for dark screens, and what each trial is drawn in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Paint:
    """The colours of a page: its ground, what is written on it, and faint lines."""

    page: str
    ink: str
    faint: str


LIGHT = Paint(page="#ffffff", ink="#1f2328", faint="#c8cdd3")
DARK = Paint(page="#161b22", ink="#e6edf3", faint="#444c56")

COLOURS = ("#3b7dd8", "#d9730d", "#2e9e6b", "#b5559c", "#8a8f98", "#c2a000")
"""Told apart by lightness too, and readable on both pages."""

GREY = "#8a8f98"
"""What belongs to no trial."""


def colour_of(place: int) -> str:
    """The colour of the trial at this place in the run, from 0."""
    return COLOURS[place % len(COLOURS)]
