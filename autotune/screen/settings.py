"""All settings of a command as a table: name, value, origin."""

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from autotune.base.format import safe
from autotune.screen.encodable import Encodable
from autotune.screen.layout import Section


def settings_table(rows: Sequence[tuple[str, str, str]]) -> RenderableType:
    """One line a setting, a line between tables and strategies; defaults are dim.

    The profile is named once, in the first row.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("origin", overflow="fold")
    last = None
    for setting, value, origin in rows:
        group = setting.partition(".")[0] if "." in setting else ""
        if last not in (None, group):
            table.add_section()
        last = group
        style = "bold" if origin.startswith("--") else "dim" if origin == "default" else ""
        named = "profile" if origin.startswith("profile ") else origin
        table.add_row(*(Text(safe(cell), style=style) for cell in (setting, value, named)))
    return Encodable(Section("settings", table))
