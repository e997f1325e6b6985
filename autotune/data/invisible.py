"""Which text shows nothing: white space, and characters that have no picture of their own."""

import unicodedata

_INVISIBLE = (
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors and the vowel separator
    (0x2065, 0x2065),
    (0x2800, 0x2800),  # Braille pattern without a dot
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFFA0, 0xFFA0),  # halfwidth Hangul filler
    (0xFFF0, 0xFFF8),
    (0x1D159, 0x1D159),  # musical null notehead
    (0xE0000, 0xE0FFF),  # tags and the supplement of variation selectors
)
"""Ranges beside the categories below: Unicode's Default_Ignorable_Code_Point as far as it is not
format or control, and two blanks that Unicode calls symbols."""

_CATEGORIES = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
"""Controls, formats (zero-width space and joiners, byte order mark, soft hyphen), separators."""


def is_blank(text: str) -> bool:
    """Whether a text is empty or only white space."""
    return not text or text.isspace()


def shows_nothing(text: str) -> bool:
    """Whether no character of a text can be seen; ends at the first that can."""
    return all(map(_invisible, text))


def _invisible(character: str) -> bool:
    if character.isspace() or unicodedata.category(character) in _CATEGORIES:
        return True
    code = ord(character)
    return any(low <= code <= high for low, high in _INVISIBLE)
