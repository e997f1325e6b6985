"""What a strategy leaves of the data, where that is little, as notes on the data.

`inspect`, `probe`, `run` and the report say it by these functions.
"""

from collections.abc import Iterable

from autotune.base.format import counted, kept_percent, percent
from autotune.data.survey import Survey
from autotune.protocol.data_notes import NAMED_ROWS, DataNote
from autotune.protocol.plan import Rounds
from autotune.protocol.result_text import rounds_text, shape_rounds
from autotune.protocol.results import Fit

MIN_KEPT_SHARE = 0.9
"""Share of the supervised tokens below which a length is warned of: a tenth is what the
longest conversations of common chat sets lose at 1024 tokens, more changes what is learned."""


def retention_notes(
    name: str,
    length: int,
    rounds: Rounds,
    kept_supervised: float,
    conversations: int,
    batch_size: int | None,
) -> tuple[DataNote, ...]:
    """What to warn of where a strategy trains on so many conversations and such a share (0..1)."""
    sentences = []
    if kept_supervised < MIN_KEPT_SHARE:
        sentences.append(
            f"{name} keeps {kept_percent(kept_supervised)} of the supervised tokens:"
            f" {shape_rounds(length, rounds)} leave out the rest"
        )
    if conversations == 1:
        sentences.append(f"{name} trains on 1 conversation: every step repeats it")
    elif batch_size is not None and 0 < conversations < batch_size:
        sentences.append(
            f"{name} trains on {counted(conversations, 'conversation')}, fewer than a step of"
            f" {batch_size}: every step sees all of them"
        )
    return tuple(DataNote(what=what, count=0, warning=True) for what in sentences)


def lost_note(name: str, length: int, rounds: Rounds, survey: Survey) -> DataNote | None:
    """The rows that a strategy leaves out because nothing to train on is left of them."""
    lost = list(survey.lost(length, rounds))
    if not lost:
        return None
    numbers = survey.file.rows
    return DataNote(
        what=f"no supervised token within {shape_rounds(length, rounds)}, strategy {name}",
        count=len(lost),
        rows=tuple(numbers[at] for at in lost[:NAMED_ROWS]) if numbers else (),
        dropped=True,
    )


def cut_note(name: str, length: int, rounds: Rounds, survey: Survey) -> DataNote | None:
    """How many answers a strategy cuts because it keeps more rounds than its length holds.

    None where every answer of its rounds is whole.
    """
    found = survey.cut_answers(length, rounds)
    if not found.cut:
        return None
    whole = survey.whole_rounds(length, rounds)
    if survey.longest(whole) > length:
        limit = "not even 1 round stays whole in every conversation"
    else:
        limit = f"up to {rounds_text(whole)} every answer would be whole"
    return DataNote(
        what=(
            f"{name}: {shape_rounds(length, rounds)} cut {found.cut} of"
            f" {counted(found.answers, 'answer')} ({percent(found.cut / found.answers)}):"
            f" {found.short} short, {found.gone} left out; {limit}"
        ),
        count=0,
    )


def lost_line(
    names: Iterable[str], length: int, rounds: Iterable[Rounds], lost: int, used: int
) -> str:
    """That a length keeps no answer of `lost` of the `used` conversations.

    `names` are the strategies that have it, `rounds` theirs: they are named where all have the
    same, for then it may be they that lose the answers.
    """
    same = set(rounds)
    size = f"{length} tokens" + (f" and {rounds_text(same.pop())}" if len(same) == 1 else "")
    of = f"{lost} of {counted(used, 'conversation')} ({percent(lost / used)})"
    return ": ".join(filter(None, (", ".join(names), f"{size} keep no answer of {of}")))


def fit_notes(fit: Fit | None) -> tuple[DataNote, ...]:
    """What to warn of in the strategies that will have their turn."""
    if fit is None:
        return ()
    return tuple(
        note
        for name, found in fit.strategies.items()
        if found.planned
        for note in (
            *retention_notes(
                name,
                found.model_max_length,
                found.max_rounds,
                found.kept_supervised,
                found.conversations,
                found.batch_size,
            ),
            found.lost,
            found.cut,
        )
        if note is not None
    )
