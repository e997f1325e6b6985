"""The page in a real browser: nothing goes wrong, nothing is fetched, and it fits a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from autotune.report import build_report, write_report
from tests import chromium
from tests import records as book
from tests.report.test_asked import asked

NONE_HERE = "no Chromium is installed (Debian: apt-get install chromium)"
BROWSER = chromium.found()

pytestmark = pytest.mark.skipif(BROWSER is None, reason=NONE_HERE)


@pytest.fixture(scope="module")
def page() -> Iterator[chromium.Browser]:
    assert BROWSER is not None
    with chromium.browser(BROWSER) as found:
        yield found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a whole run, and of one that has only begun."""
    root = tmp_path_factory.mktemp("reports")
    for name, records in (("whole", asked()), ("begun", book.probing())):
        (root / name).mkdir()
        write_report(build_report(records, root / name), root / name)
    return root


LOOKS = [("whole", 1280, False), ("whole", 400, False), ("whole", 1280, True), ("begun", 400, True)]


@pytest.mark.parametrize(("name", "width", "dark"), LOOKS)
def test_the_page_loads_whole_by_itself_and_is_no_wider_than_the_screen(
    page: chromium.Browser, written: Path, name: str, width: int, dark: bool
) -> None:
    page.open(written / name / "report.html", width, dark=dark)
    assert page.messages == []
    outside = [url for url in page.requests if not url.startswith(("file:", "data:"))]
    assert outside == []
    assert len([url for url in page.requests if url.startswith("file:")]) == 1
    pictures = page.value("[...document.images].map(i => [i.complete, i.naturalWidth, i.width])")
    assert len(pictures) == (5 if name == "whole" else 0)
    for complete, natural, shown in pictures:
        assert complete
        assert natural == 960
        assert 300 < shown <= width
    assert page.value("document.documentElement.scrollWidth") <= width
    ground = page.value("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(13, 17, 23)" if dark else "rgb(246, 247, 249)")


def test_on_a_phone_tables_scroll_and_pictures_stack(page: chromium.Browser, written: Path) -> None:
    page.open(written / "whole" / "report.html", 400)
    wide = "[...document.querySelectorAll('.wide')]"
    assert page.value(f"{wide}.some(e => e.scrollWidth > e.clientWidth)")
    assert page.value(f"{wide}.every(e => getComputedStyle(e).overflowX === 'auto')")
    assert len(set(page.value("[...document.images].map(i => i.x)"))) == 1
    page.open(written / "whole" / "report.html", 1280)
    assert len(set(page.value("[...document.images].map(i => i.x)"))) == 2


def test_no_section_list_or_cell_is_empty(page: chromium.Browser, written: Path) -> None:
    for name in ("whole", "begun"):
        page.open(written / name / "report.html", 1280)
        parts = "section, ul, ol, dl, td, th, dd, dt, li, h2, h3, figcaption"
        empty = page.value(
            f"[...document.querySelectorAll('{parts}')].filter(e => !e.textContent.trim())"
            ".map(e => e.outerHTML.slice(0, 80))"
        )
        assert empty == []
        alone = page.value(
            "[...document.querySelectorAll('section')].filter(e => e.children.length < 2"
            " && !e.querySelector('.facts, details')).map(e => e.textContent.trim())"
        )
        assert alone == []
