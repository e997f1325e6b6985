"""Whether a frame may be drawn over the one before."""

from rich.console import Console


def can_redraw(console: Console) -> bool:
    """On a terminal that obeys, unless whoever made the console or the person said otherwise."""
    return console.is_terminal and console.is_interactive and not console.is_dumb_terminal
