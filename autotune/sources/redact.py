"""Foreign text without secrets: what another program printed may quote a token or a password."""

import os
import re

_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{8,}")
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET = 6
"""Shorter values (`true`, `1`) are switches; hiding them would garble the text."""


def redact(text: str) -> str:
    """The text with credentials replaced by `***`.

    Hidden are `user:password@` in addresses, hub tokens, and the value of every environment
    variable whose name says that it is a secret.
    """
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, "***")
    return _HUB_TOKEN.sub("***", _USERINFO.sub("***@", text))
