"""Every link between the pages leads to a page, and to a heading of it."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, headings

PAGES = [
    DOCS.parent / "README.md",
    DOCS.parent / "CONTRIBUTING.md",
    *sorted(DOCS.glob("*.md")),
    *sorted(DOCS.glob("*/*.md")),
]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(DOCS.parent).as_posix())
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in LINK.findall(re.sub(r"`[^`]*`", "", text)):
        name, _, heading = target.partition("#")
        if "://" in target:
            continue
        page = (path.parent / name).resolve() if name else path
        assert page.exists(), target
        if heading:
            assert heading in headings(page), target
