"""The pictures in a report that is there already: what they show is not drawn a second time."""

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

_EMBEDDED = re.compile(
    r'<picture data-drawing="(?P<drawing>[0-9a-f]{64})" data-sha256="(?P<sha256>[0-9a-f]{64})">'
    r'[^"]*"data:image/png;base64,(?P<dark>[A-Za-z0-9+/=]*)"'
    r'.*?"data:image/png;base64,(?P<light>[A-Za-z0-9+/=]*)"',
    re.DOTALL,
)
"""How `report.html.j2` embeds them. Text from outside cannot look like it: its `<` is escaped."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture as two PNGs, for light and dark screens, and `Picture.drawing` of what it shows."""

    drawing: str
    light: bytes
    dark: bytes

    @property
    def sha256(self) -> str:
        """A digest of both, by which a page shows that they are as they were drawn."""
        return hashlib.sha256(self.light + self.dark).hexdigest()


def kept_pictures(page: Path) -> dict[str, Drawn]:
    """The pictures in a `report.html` that are whole, by what they show."""
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return {}
    found = {}
    for each in _EMBEDDED.finditer(text):
        try:
            light, dark = (
                base64.b64decode(each[name], validate=True) for name in ("light", "dark")
            )
        except ValueError:
            continue
        drawn = Drawn(each["drawing"], light, dark)
        if drawn.sha256 == each["sha256"]:
            found[drawn.drawing] = drawn
    return found
