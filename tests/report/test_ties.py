"""Which of equal checkpoints is the best, and by which rule, is said."""

from pathlib import Path

from autotune.protocol import events
from autotune.protocol.scores import Metric
from autotune.report import build_report
from autotune.report.chart import pictures_of
from autotune.report.study_tables import points_table
from autotune.run.state import replay
from autotune.text.ties import tie_sentence
from tests import records


def state_of(*passes: int) -> tuple[list[events.Evaluated], records.Book]:
    """A run of a trial for each count of passes, and what was scored."""
    book = records.Book()
    book.add(records.run_started())
    scored = []
    for number, count in enumerate(passes):
        plan = records.plan("ABCDE"[number])
        book.add(events.TrialStarted(number=number, optuna_number=number, plan=plan))
        scored.append(records.evaluated(number, records.checkpoint(number, 12, 1.0), count))
        book.add(scored[-1])
        book.add(events.TrialEnded(number=number, best=None))
    return scored, book


def test_of_equal_ones_the_first_is_the_best_and_the_others_are_named() -> None:
    scored, book = state_of(0, 0, 0)
    state = replay(book.records)
    assert state.best == scored[0]
    sentence = tie_sentence(state)
    assert sentence == (
        "Counts for as much as the best: trial 1 (B) at 100 %; trial 2 (C) at 100 %. Of equal ones"
        " the first that was scored is the best."
    )
    assert sentence in build_report(book.records, Path("runs/x")).conclusions


def test_with_a_holdout_equal_ones_are_said_to_be_so_on_the_half_that_chooses() -> None:
    scored, book = state_of(4, 6)
    chosen = {"chosen_by": Metric.of(3, 12), "chosen_counts": 0.25}
    halves = [
        r.model_copy(update={"event": r.event.model_copy(update=chosen)})
        if r.event in scored
        else r
        for r in book.records
    ]
    assert str(tie_sentence(replay(halves))).startswith(
        "Equal to the best on the half of the prompts that chooses: trial 1 (B) at 100 %."
    )
    report = build_report(halves, Path("runs/x"))
    half = "counts for, on the half of the prompts that chooses"
    assert half in points_table(report).legend
    assert any(half in picture.title for picture in pictures_of(report))


def test_many_equal_ones_are_counted_and_none_where_the_best_is_alone() -> None:
    assert "trial 2 (C) at 100 %; 2 more." in str(
        tie_sentence(replay(state_of(3, 3, 3, 3, 3)[1].records))
    )
    assert tie_sentence(replay(state_of(2, 3, 1)[1].records)) is None
    assert tie_sentence(replay(records.probing())) is None
