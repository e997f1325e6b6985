"""How the card of a file of chats is named, for who writes it and for who looks for it."""

from pathlib import Path

CARD, README = "card.json", "README.md"
"""The card and its text in a folder that practice data has to itself."""


def card_beside(chats: Path) -> Path:
    """The card of chats that stand among other files: of `F.jsonl`, `F.card.json`."""
    return chats.with_name(f"{chats.stem}.{CARD}")


def readme_beside(chats: Path) -> Path:
    """The card's text of chats that stand among other files: of `F.jsonl`, `F.card.md`."""
    return card_beside(chats).with_suffix(".md")


def card_of(chats: Path) -> Path | None:
    """The card of a file of chats; None where it has none.

    The card that is named after the file comes first: several files of a folder share the other.
    """
    places = (card_beside(chats), chats.with_name(CARD))
    return next((place for place in places if place.is_file()), None)
