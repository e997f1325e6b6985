"""Pages of docs as tests read them: their text, their fenced blocks, and figures that they lack."""

import re
from collections.abc import Iterable
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def squeezed(text: str) -> str:
    """The text with its lines joined, marks of quotation and emphasis left out."""
    lines = (re.sub(r"^> ?", "", line) for line in text.splitlines())
    return " ".join(" ".join(lines).replace("**", "").split())


def lacking(text: str, figures: Iterable[str]) -> list[str]:
    """What of these the text does not say."""
    joined = squeezed(text)
    return [figure for figure in figures if squeezed(figure) not in joined]


def fenced(text: str, language: str) -> list[str]:
    """The blocks of a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def fenced_under(text: str, heading: str, language: str) -> list[str]:
    """Those below one heading of the second level."""
    below = re.split(r"^## ", text, flags=re.MULTILINE)
    (section,) = (part for part in below if part.startswith(f"{heading}\n"))
    return fenced(section, language)


def headings(path: Path) -> set[str]:
    """Names by which a page's headings are linked to, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
