"""Six prompts with both answers: of the untrained model and of the best checkpoint.

Chosen by rule, not by eye: the first in the order of the prompts of each way in which an answer may
change.
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest

from autotune.base.errors import AutotuneError
from autotune.protocol.results import EvalReport, PromptVerdict
from autotune.report.score_schema import Became, ExampleAnswer, ExamplePair
from autotune.run.answering import RESPONSES
from autotune.run.folder import RunDir
from autotune.run.kept_scores import best_folder, untrained_folder
from autotune.run.state import StudyState
from autotune.score.answers import Answer, match, read_answers
from autotune.score.examples import by_key, example_of
from autotune.score.prompts import Prompt, written_prompts
from autotune.score.registry import find_scorer
from autotune.score.scorer import Scorer
from autotune.score.thoughts import judged

SHOWN = 6
"""What a reader takes in; each is half a page."""

SHOWN_CHARACTERS = 700
"""Of an answer or a prompt: enough to see whether it follows, and what it does instead."""

_ORDER: tuple[Became, ...] = ("gained", "lost", "still fails", "still passes")

CHOSEN = (
    "Chosen by rule, not by eye: by turns the first in the order of the prompts that passes only"
    " after training, passed only before, fails twice, passes twice. Long texts are shortened."
)

SENTENCES: dict[Became, str] = {
    "gained": "passes only after training",
    "lost": "passed only before training",
    "still fails": "fails before and after",
    "still passes": "passes before and after",
}


def examples_of(
    state: StudyState, rundir: RunDir, before: EvalReport | None, after: EvalReport | None
) -> tuple[ExamplePair, ...]:
    """The examples of a run; none where answers or prompts are not there, or cannot be read.

    `before` and `after` are the reports on the answers of both models.
    """
    if state.run is None or state.best is None or before is None or after is None:
        return ()
    scorer = find_scorer(state.run.scorer)
    try:
        prompts = written_prompts(rundir.prompts, scorer.prompt_type)
        folders = (untrained_folder(rundir), best_folder(rundir, state.best))
        answers = [
            match(prompts, judged(read_answers(folder / RESPONSES), state.run.think))[0]
            for folder in folders
        ]
    except (AutotuneError, OSError):
        return ()
    reports = (by_key(before), by_key(after))
    asked = [p for p in prompts if all(p.key in report for report in reports)]
    found: dict[Became, list[Prompt]] = {became: [] for became in _ORDER}
    for prompt in asked:
        found[_became(*(report[prompt.key].strict for report in reports))].append(prompt)
    return tuple(
        ExamplePair(
            key=prompt.key,
            prompt=_shortened(prompt.prompt)[0],
            became=became,
            before=_answer(scorer, prompt, answers[0].get(prompt.key), reports[0]),
            after=_answer(scorer, prompt, answers[1].get(prompt.key), reports[1]),
        )
        for became, prompt in _chosen(found)
    )


def _became(before: bool, after: bool) -> Became:
    if before is after:
        return "still passes" if after else "still fails"
    return "gained" if after else "lost"


def _chosen(found: dict[Became, list[Prompt]]) -> list[tuple[Became, Prompt]]:
    """By turns one of each kind, while there are some; then the kinds one after the other."""
    turns = zip_longest(*([(kind, prompt) for prompt in found[kind]] for kind in _ORDER))
    taken = [each for turn in turns for each in turn if each is not None][:SHOWN]
    return sorted(taken, key=lambda each: _ORDER.index(each[0]))


def _answer(
    scorer: Scorer, prompt: Prompt, answer: Answer | None, verdicts: Mapping[int, PromptVerdict]
) -> ExampleAnswer:
    verdict = verdicts[prompt.key]
    example = example_of(scorer, prompt, answer, verdict)
    text, shortened = _shortened(example.response or "")
    return ExampleAnswer(
        response=None if example.response is None else text,
        shortened=shortened,
        passes=verdict.strict,
        failed=example.failed,
        faults=example.faults,
    )


def _shortened(text: str) -> tuple[str, bool]:
    """A text of not too many characters, and whether it was longer."""
    if len(text) <= SHOWN_CHARACTERS:
        return text, False
    return text[:SHOWN_CHARACTERS].rstrip() + " …", True


def verdict_lines(answer: ExampleAnswer) -> Iterator[str]:
    """What there is to say of an answer: that it passes, or each rule that it fails in words."""
    if answer.passes:
        yield "passes"
    yield from (f"fails: {rule}" for rule in answer.failed)
    if not answer.passes and not answer.failed:
        yield "fails"
