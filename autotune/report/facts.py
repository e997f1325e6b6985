"""What a report shows as a name and a value: the figures seen first, and what the run worked with.

Made once, for both of its pages.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from autotune.base.format import counted, interval_words, percent
from autotune.protocol.choices import Think
from autotune.protocol.gain import Improvement
from autotune.report.schema import Report
from autotune.report.score_schema import FullScore
from autotune.score.scorer import Scorer
from autotune.text.score import faulty_answers
from autotune.text.training_plan import whole_plan


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure that is seen first, and what it is of; `tone`: `good`, `warn`, `bad`, or ""."""

    value: str
    label: str
    tone: str = ""


def facts_of(report: Report, scorer: Scorer) -> tuple[Fact, ...]:
    """The figures that are seen first: on all prompts of a source, where the best has them."""
    best, full = report.best, report.best_in_full
    own = report.gain is not None and report.gain.verdict is Improvement.NO_BETTER
    tone = "bad" if own else "good" if report.met else "warn"
    found = list(_in_full(report, full)) if full is not None else []
    # With a holdout the run's own are the half that is reported: of the best as of the untrained.
    of = counted((best.n if best is not None else None) or 0, "prompt")
    here = "" if full is None else f", on the run's own {of}"
    if best is None or best.strict is None or best.interval is None:
        found.append(Fact("no score yet", "best score"))
    elif full is not None:
        text = f"on the run's own {of} ({interval_words(best.interval, best.n or 0)})"
        found.append(Fact(percent(best.strict), text, tone))
    else:
        name = "best score so far, about" if best.ended_early else "best score"
        found = [
            Fact(percent(best.strict), f"{name}, {best.passes} of {of}", tone),
            Fact(interval_words(best.interval, best.n or 0), "its 95 % interval"),
        ]
        if best.counts is not None and best.counts < best.strict:
            found.append(Fact(percent(best.counts), "what it counts for", "warn"))
    if report.target:
        found.append(Fact(percent(report.target), "target"))
    untrained = report.baselines.get("untrained")
    if untrained is not None and (full is None or "untrained" not in full.baselines):
        found.append(Fact(percent(untrained.strict), f"before training{here}"))
    if report.strategy is not None:
        among = counted(report.chosen_among, "checkpoint")
        found.append(
            Fact(
                report.strategy,
                f"strategy of the best of {among}" if best else "strategy",
            )
        )
    if report.corrected is not None and has_selection_bias(report):
        found.append(Fact(percent(report.corrected), f"corrected for selection bias{here}"))
    sound = None if best is None else best.sound
    if best is not None and best.unhealthy and sound is not None and sound.passes != best.passes:
        without = f"excluding {faulty_answers(scorer.health_checks)}{here}"
        found.append(Fact(percent(sound.accuracy), without, "bad"))
    return tuple(found)


def in_a_row(count: int, most: int) -> int:
    """How many of so many figures stand beside each other, in as few rows as can be, all alike.

    So the last row has one figure less than the others, or a few where there are more rows: seven
    stand as four and three, where at most six have room.
    """
    rows = -(-count // most)
    return -(-count // max(1, rows))


def _in_full(report: Report, full: FullScore) -> Iterator[Fact]:
    tone = "bad" if report.no_better else "good" if full.value >= report.target else "warn"
    untrained = full.baselines.get("untrained")
    yield Fact(
        percent(full.strict),
        f"best score on all {counted(full.n, 'prompt')} of {full.prompts}, {full.passes} pass",
        tone,
    )
    yield Fact(interval_words(full.interval, full.n), "its 95 % interval")
    if full.value < full.strict:
        yield Fact(percent(full.value), "what it counts for", "warn")
    if untrained is not None:
        yield Fact(percent(untrained.strict), f"before training, on all {untrained.n}")


def has_selection_bias(report: Report) -> bool:
    """Whether the score without its selection bias is another one, as it is written."""
    best = report.best
    if report.corrected is None or best is None or best.strict is None:
        return False
    return percent(report.corrected) != percent(best.strict)


def _data(report: Report) -> str:
    """What was trained on, by strategy where that differs, and the run's own data beside it."""
    data = report.trained_data
    by = {name: dict.fromkeys(_strategies(report, name)) for name in data}
    alike = len(data) == 1 or not report.trials
    named = "; ".join(name if alike else f"{', '.join(by[name])}: {name}" for name in data)
    if report.data in data:
        return named
    return f"{named}; the run's own, {report.data}, is not trained on"


def _strategies(report: Report, data: str) -> Iterator[str]:
    return (t.strategy for t in report.trials if (t.data or report.data) == data)


def ran_with(report: Report, scorer: Scorer) -> tuple[tuple[str, str], ...]:
    """What a run worked with, by name."""
    stripped = report.think is Think.STRIP
    text = "what follows </think>" if stripped else "answers as they stand"
    return (
        ("profile", report.profile),
        ("model", report.model),
        ("data", _data(report)),
        ("prompts", f"{report.prompts} ({report.prompt_count})"),
        ("scorer", f"{scorer.title} (--scorer {scorer.name})"),
        ("judged", f"{text} (--think {report.think})"),
        ("device", report.machine),
        *((("attention", report.attention),) if report.attention else ()),
        *(
            (
                f"trial {trial.number}",
                f"{whole_plan(trial.plan)}{f', data {trial.data}' if trial.data else ''}, digest of"
                f" the plan {trial.plan_identity}",
            )
            for trial in report.trials
        ),
        ("run folder", report.run_dir),
    )
