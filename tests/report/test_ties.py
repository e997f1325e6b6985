"""Which of equal checkpoints is the best, and by which rule, is said."""

from pathlib import Path

from autotune.protocol import events
from autotune.report import build_report
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


def test_many_equal_ones_are_counted_and_none_where_the_best_is_alone() -> None:
    assert "trial 2 (C) at 100 %; 2 more." in str(
        tie_sentence(replay(state_of(3, 3, 3, 3, 3)[1].records))
    )
    assert tie_sentence(replay(state_of(2, 3, 1)[1].records)) is None
    assert tie_sentence(replay(records.probing())) is None
