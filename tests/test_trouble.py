"""docs/trouble.md quotes what the program says: a message that changes is found here."""

import re
from collections.abc import Iterator
from functools import cache

import pytest

from autotune.base.error_texts import FILES
from autotune.base.errors import ExitCode
from autotune.protocol.results import Verdict
from tests.docs.pages import headings
from tests.test_words import PACKAGE, ROOT, modules, sentences

PAGE = (ROOT / "docs" / "trouble.md").read_text(encoding="utf-8")
ON_SCREEN = "on the screen"
"""The heading of the column whose cells are quotations in backticks; `...` stands for any text."""


def quotations(page: str) -> Iterator[str]:
    """Every message that the page says the program prints, as one line."""
    inside = False
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("|"):
            inside = False
        elif cells[0] == ON_SCREEN:
            inside = True
        elif inside and set(line) - set("|- "):
            found = re.findall(r"`([^`]+)`", cells[0])
            assert found, f"quotes nothing: {line}"
            yield from found


@cache
def spoken() -> list[str]:
    """All that the code may say: its sentences, verdicts, and the tables of what errors mean."""
    said = [text for path in modules() for _, text in sentences(path)]
    tables = (PACKAGE / "base" / "error_texts" / name for name in FILES)
    return [*said, *Verdict, *(table.read_text(encoding="utf-8") for table in tables)]


def is_said(quotation: str, texts: list[str]) -> bool:
    """Whether one text has all pieces of a quotation, in their order."""
    pieces = [re.escape(piece.strip(" ")) for piece in quotation.split("...") if piece.strip(" ")]
    pattern = re.compile(".*?".join(pieces), re.DOTALL)
    return any(pattern.search(text) for text in texts)


def test_every_message_on_the_page_is_one_that_the_program_prints() -> None:
    texts = spoken()
    found = list(quotations(PAGE))
    assert len(found) > 40
    assert [each for each in found if not is_said(each, texts)] == []


def test_a_message_in_other_words_is_found() -> None:
    texts = spoken()
    assert is_said("in use by ...; wait for it to end", texts)
    assert not is_said("in use by ...; wait until it ends", texts)
    assert not is_said("; wait for it to end ... in use by", texts)


def test_the_page_has_every_exit_code() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert codes == set(ExitCode)


@pytest.mark.parametrize("name", ["windows.md", "notebooks.md", "trouble.md"])
def test_links_lead_to_pages_and_headings_that_are_there(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    for target, _, heading in (
        link.partition("#") for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link
    ):
        page = ROOT / "docs" / (target or name)
        assert page.is_file(), target
        if heading:
            assert heading in headings(page), f"{target}#{heading}"
