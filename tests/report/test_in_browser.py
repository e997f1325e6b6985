"""The page in a real browser: nothing goes wrong, nothing is fetched, and it fits a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from autotune.report import build_report, write_report
from autotune.report.facts import Fact
from autotune.report.schema import Report
from autotune.report.write import render_html
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


@pytest.fixture(scope="module")
def proof() -> Report:
    """The run that README shows, whichever it is by now."""
    kept = Path(__file__).parents[2] / "docs" / "proof" / "report.json"
    return Report.model_validate_json(kept.read_bytes())


@pytest.fixture(scope="module")
def real(proof: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its page, without its pictures."""
    page = tmp_path_factory.mktemp("real") / "report.html"
    page.write_text(render_html(proof), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages that begin with so many figures, by their number."""
    report = build_report(book.story(), Path("runs/x"))
    folder = tmp_path_factory.mktemp("figures")
    for count in range(3, 11):
        facts = tuple(Fact("24.3 to 31.8 %", "what it counts for") for _ in range(count))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("autotune.report.write.facts_of", lambda *_, shown=facts: shown)
            (folder / f"{count}.html").write_text(render_html(report), encoding="utf-8")
    return folder


TOO_WIDE = (
    "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth)"
    ".map(e => e.previousElementSibling.textContent)"
)


def test_on_a_screen_no_table_of_a_real_run_is_wider_than_the_page(
    page: chromium.Browser, real: Path
) -> None:
    page.open(real, 1280)
    assert page.value(TOO_WIDE) == []


def test_the_figures_that_are_seen_first_are_whole_and_on_one_line(
    page: chromium.Browser, real: Path
) -> None:
    page.open(real, 1280)
    figures = "[...document.querySelectorAll('.facts b')]"
    assert page.value(f"{figures}.filter(e => e.scrollWidth > e.clientWidth).length") == 0
    assert len(set(page.value(f"{figures}.map(e => e.offsetHeight)"))) == 1


@pytest.mark.parametrize("width", [1280, 900, 400])
@pytest.mark.parametrize("count", range(3, 11))
def test_no_figure_stands_alone_in_a_row_but_one_that_fills_it(
    page: chromium.Browser, figures: Path, count: int, width: int
) -> None:
    page.open(figures / f"{count}.html", width)
    boxes = page.value(
        "[...document.querySelectorAll('.facts div')].map(e => [e.offsetTop, e.offsetWidth])"
    )
    rows = [[wide for at, wide in boxes if at == top] for top in sorted({at for at, _ in boxes})]
    assert sum(map(len, rows)) == count
    inside = page.value("document.querySelector('.facts').offsetWidth")
    assert all(len(row) > 1 or row == [inside] for row in rows), rows
    most = 6 if width == 1280 else 4 if width == 900 else 2
    assert len(rows) == -(-count // most), "in as few rows as there is room for"
    assert page.value("document.documentElement.scrollWidth") <= width


def test_on_a_phone_figures_and_names_fold_so_that_instructions_are_seen_whole(
    page: chromium.Browser, real: Path
) -> None:
    page.open(real, 400)
    scrolled = page.value(TOO_WIDE)
    assert "Checkpoints" in scrolled
    assert "By instruction" not in scrolled
    split = "[...document.querySelectorAll('td.n span')].filter(e => e.getClientRects().length > 1)"
    assert page.value(f"{split}.length") == 0, "no figure is torn from its unit"


@pytest.mark.parametrize("width", [400, 1280])
def test_no_option_figure_or_program_is_torn_at_the_end_of_a_line(
    page: chromium.Browser, real: Path, proof: Report, width: int
) -> None:
    page.open(real, width)
    kept = "[...document.querySelectorAll('.whole')]"
    words = page.value(f"{kept}.map(e => e.textContent)")
    assert proof.best is not None
    score = f"{proof.best.strict:.1%}".replace("%", " %")
    assert {"smolsft-autotune", "--run-dir", "--profile", score} <= set(words)
    assert page.value(f"{kept}.filter(e => e.getClientRects().length > 1).length") == 0


def test_a_sentence_of_a_table_that_scrolls_is_wide_enough_to_be_read(
    page: chromium.Browser, real: Path
) -> None:
    page.open(real, 400)
    widths = page.value(
        "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth)"
        ".flatMap(e => [...e.querySelectorAll('td:last-child:not(.n)')])"
        ".map(e => e.getBoundingClientRect().width)"
    )
    assert widths and min(widths) >= 240


@pytest.mark.parametrize(("width", "lines"), [(1280, 1), (400, 2)])
def test_what_happened_is_dated_on_a_line_and_fits_the_page(
    page: chromium.Browser, real: Path, width: int, lines: int
) -> None:
    page.open(real, width)
    page.value("document.querySelector('details').open = true")
    first = "document.querySelector('details td')"
    tops = page.value(
        f"(() => {{ const r = document.createRange(); r.selectNodeContents({first});"
        " return [...r.getClientRects()].map(e => Math.round(e.top / 4)) })()"
    )
    assert len(set(tops)) == lines
    wide = "document.querySelector('details .wide')"
    assert page.value(f"{wide}.scrollWidth <= {wide}.clientWidth")


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
