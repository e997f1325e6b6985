"""What was tried, what it came to and what made the difference, in the report."""

from pathlib import Path

from autotune.protocol import events
from autotune.report import Report, build_report
from autotune.report.chart import draw_png, pictures_of
from autotune.report.paint import LIGHT
from autotune.report.write import render_html, render_markdown
from tests import records

RATES = (4e-5, 6e-5, 3e-4, 5e-4, 2e-4)
PASSES = (3, 4, 5, None, 7)


def reported(count: int) -> Report:
    """A run with so many trials; of the first three two differ in their batch, one failed."""
    book = records.Book()
    book.add(records.run_started())
    for number, (rate, passes) in enumerate(zip(RATES[:count], PASSES, strict=False)):
        name = "ABCD"[number] if number < 4 else "search"
        plan = records.plan(name, learning_rate=rate, batch_size=8 * (1 + number % 2))
        point = {"learning_rate": rate, "batch_size": plan.batch_size, "max_rounds": "all"}
        book.add(
            events.TrialStarted(number=number, optuna_number=number, plan=plan, point=point),
            after=60,
        )
        at = records.checkpoint(number, 12, 1.0)
        book.add(records.evaluated(number, at, passes), after=60)
        book.add(events.TrialEnded(number=number, best=None))
    if count > 3:
        shares = {"learning_rate": 0.75, "batch_size": 0.25}
        book.add(events.ImportancesFound(shares=shares, trials=count))
    return build_report(book.records, Path("runs/x"))


def test_each_trials_values_and_what_they_came_to_stand_on_both_pages() -> None:
    report = reported(5)
    for page in (render_markdown(report), render_html(report)):
        for words in ("What was tried", "came to", "5e-4", "29.2 %", "What made the difference"):
            assert words in page
    markdown = render_markdown(report)
    (last,) = (
        line for line in markdown.splitlines() if line.startswith("| 4 | search | 2e-4 | 8 |")
    )
    cells = [cell.strip() for cell in last.strip("|").split("|")]
    assert cells[:4] == ["4", "search", "2e-4", "8"]
    (heads,) = (line for line in markdown.splitlines() if line.startswith("| trial | stage |"))
    names = [name.strip() for name in heads.strip("|").split("|")]
    assert (cells[names.index("rounds")], cells[-1]) == ("all", "29.2 %")
    assert "noise" not in names  # no trial had a value of it
    (failed,) = (line for line in markdown.splitlines() if line.startswith("| 3 | D | 5e-4 | 16 |"))
    assert failed.endswith("| – |")
    assert "| lr | 75 % |" in markdown


def test_a_run_of_one_trial_has_nothing_to_compare() -> None:
    page = render_markdown(reported(1))
    assert "What was tried" not in page
    assert "What made the difference" not in page


def test_from_the_second_trial_on_there_are_the_studys_history_and_its_slice() -> None:
    assert [p.name for p in pictures_of(reported(1))] == ["scores"]
    shown = pictures_of(reported(3))
    assert [p.name for p in shown] == ["scores", "trials", "points"]
    for picture in shown[1:]:
        png = draw_png(picture)
        assert [int.from_bytes(png[at : at + 4], "big") for at in (16, 20)] == [960, 680]


def test_the_picture_of_rates_and_batches_says_what_its_figures_are() -> None:
    from matplotlib.figure import Figure

    report = reported(4)
    (picture,) = (p for p in pictures_of(report) if p.name == "points")
    assert picture.title == "Rate and batch size of each trial, and what it counts for"
    axes = Figure().add_subplot()
    picture.draw(axes, LIGHT)
    written = [text.get_text() for text in axes.texts]
    assert written == ["trial 0: 12.5 %", "trial 1: 16.7 %", "trial 2: 20.8 %", "trial 3: no score"]
