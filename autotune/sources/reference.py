"""Telling a hub id from a path that was mistyped."""

import re
from dataclasses import dataclass

from autotune.data.kinds import READ_ENDINGS

_HUB_ID = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?")
_FILE_ENDINGS = (*READ_ENDINGS, ".gguf", ".safetensors", ".bin", ".xlsx")


@dataclass(frozen=True, slots=True)
class HubId:
    """A repository of the hub and the revision asked for, None for its newest."""

    repo: str
    revision: str | None


def as_hub_id(text: str) -> HubId | None:
    """`owner/name` or `owner/name@revision`; None where the text can only be meant as a path."""
    match = _HUB_ID.fullmatch(text)
    if match is None or match["repo"].lower().endswith(_FILE_ENDINGS):
        return None
    return HubId(repo=match["repo"], revision=match["revision"])
