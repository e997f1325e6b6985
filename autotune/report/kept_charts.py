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
class Charts:
    """Two PNGs, for light and dark screens, and `chart.drawing_of` what they show."""

    drawing: str
    light: bytes
    dark: bytes

    @property
    def sha256(self) -> str:
        """A digest of both, by which a page shows that they are as they were drawn."""
        return hashlib.sha256(self.light + self.dark).hexdigest()


def kept_charts(page: Path, drawing: str) -> Charts | None:
    """The pictures in a `report.html`, if they show this and are whole; else None."""
    try:
        found = _EMBEDDED.search(page.read_text(encoding="utf-8"))
        if found is None or found["drawing"] != drawing:
            return None
        light, dark = (base64.b64decode(found[name], validate=True) for name in ("light", "dark"))
    except (OSError, ValueError):
        return None
    pictures = Charts(drawing, light, dark)
    return pictures if pictures.sha256 == found["sha256"] else None
