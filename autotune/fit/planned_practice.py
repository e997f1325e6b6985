"""Practice data that is still to be made, as a plan counts with it: chats, tokens, hours.

What is likely (`fit.answer_lengths`) stands beside what it can be at most: every answer runs to its
cap, and every prompt gets a chat.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from autotune.config.own_data import PRACTICE_LABEL, practising
from autotune.config.synth import SynthChoice
from autotune.data.mixture import mixed_counts
from autotune.data.survey import Survey, SurveyFile
from autotune.data.truncation import RoundSpan
from autotune.fit.answer_lengths import CHAT_SHARE, PRACTICE, practice_tokens
from autotune.fit.expected import accepted_measurement, start_seconds
from autotune.fit.likely import HALF_FULL, TEXT_CHARACTERS
from autotune.fit.practice_time import practice_rows, practice_seconds
from autotune.fit.run_plan import Span
from autotune.protocol.choices import SYNTH
from autotune.protocol.plan import Strategy
from autotune.protocol.results import Fit
from autotune.run.own_practice import FOLDER
from autotune.run.practice import CHATS, practice_plan
from autotune.run.session import Session
from autotune.run.setup import CHARACTERS_A_TOKEN, Setup
from autotune.run.training_data import training_data
from autotune.sources.dataset import DataSource
from autotune.synth.prompts import PracticePrompt

CHAT_TOKENS = 32
"""What ChatML puts around a question and an answer, with SmolLM2's system prompt of 18 tokens."""

Rows = tuple[tuple[RoundSpan, ...], ...]


@dataclass(frozen=True, slots=True)
class PlannedPractice:
    """What is asked for practice data, what is likely to come of it, and what at most.

    `answers` are still to be given, of `max_new_tokens` each, to prompts of which `prompts` chats
    may come, and `chats` are likely. `strategies` train on them; if there are as many as there may
    be, each as long, those have `most_tokens` times the tokens that are likely.
    """

    strategies: tuple[str, ...]
    answers: int
    max_new_tokens: int
    prompts: int
    chats: int
    most_tokens: float

    def seconds(
        self,
        setup: Setup,
        fit: Fit,
        *,
        measured: bool,
        slowdown: float,
        token_seconds: float | None = None,
    ) -> Span | None:
        """Until all answers are given; None where nothing says how long that takes.

        By what a probe `measured` of a batch of answers; else by the time of a token of such a
        batch; else by the device's assumed rate, which `slowdown` divides.
        """
        found, start = accepted_measurement(fit), start_seconds(fit)
        choice, rows = setup.profile.synth, setup.evaluation_rows
        if measured and found is not None and found.token_seconds:
            batches = -(-self.answers // rows)
            tokens = self.max_new_tokens * found.token_seconds
            most = start + batches * (found.prefill_seconds + tokens)
            likely = start + self.answers / rows * tokens * PRACTICE * HALF_FULL
            return Span(min(most, likely), most)
        asked = choice.answers
        if token_seconds is not None:
            passes = asked / practice_rows(setup, asked) * self.max_new_tokens
            whole: float | None = passes * token_seconds
        else:
            whole = practice_seconds(setup, setup.model_folder, choice, slowdown)
        if whole is None:
            return None
        most = whole * self.answers / asked
        return Span(start + most * PRACTICE, start + most)


def planned_practice(
    session: Session, setup: Setup, survey: Survey, answered: int = 0
) -> tuple[PlannedPractice, Setup, Survey]:
    """The plan, and setup and survey as if the data were there; `answered` answers are.

    Raises:
        BadInput: the material does not give so many prompts.
    """
    profile, choice = setup.profile, setup.profile.synth
    strategies = practising(profile)
    plan = practice_plan(setup, choice)
    most = _rows(plan.prompts[: choice.max_conversations], choice.max_new_tokens)
    rows = _likely_rows(plan.prompts, choice)
    found = PlannedPractice(
        strategies=tuple(strategy.name for strategy in strategies),
        answers=max(0, len(plan.asked) * choice.samples - answered),
        max_new_tokens=choice.max_new_tokens,
        prompts=len(most),
        chats=len(rows),
        most_tokens=_tokens(most) / _tokens(rows),
    )
    assert setup.content is not None and setup.prompts_file is not None
    there = DataSource(session.rundir.practice_folder(FOLDER) / CHATS, PRACTICE_LABEL)
    named = {name: data.source for name, data in setup.own_data.items()}
    own_data = training_data(
        profile,
        setup.run_data.source,
        {**named, **{name: there for name in found.strategies}},
        setup.prompts_file,
        setup.content,
    )
    del own_data[""]
    planned = {
        name: Survey(_file(_mixed(rows, survey.rows, strategy, setup)), survey.truncation)
        for name in own_data
        if (strategy := _of(setup, name)).data == SYNTH
    }
    return (
        found,
        replace(setup, own_data={**setup.own_data, **own_data}),
        replace(survey, own={**survey.own, **planned}),
    )


def _of(setup: Setup, name: str) -> Strategy:
    """The strategy of a name; the search trains on what the first does."""
    strategies = setup.profile.strategies
    return next((s for s in strategies if s.name == name), strategies[0])


def _likely_rows(prompts: Sequence[PracticePrompt], choice: SynthChoice) -> Rows:
    """A row for each chat that is likely to come of the prompts, its answer of average length."""
    chats = max(1, min(round(CHAT_SHARE * len(prompts)), choice.max_conversations or len(prompts)))
    chosen = [prompts[at * len(prompts) // chats] for at in range(chats)]
    answer = practice_tokens(choice.max_new_tokens, choice.words)
    return _rows(chosen, answer, TEXT_CHARACTERS)


def _tokens(rows: Rows) -> int:
    return sum(row[-1].stop for row in rows)


def _rows(
    prompts: Sequence[PracticePrompt], new_tokens: int, characters: int = CHARACTERS_A_TOKEN
) -> Rows:
    """A row for each prompt, with so many characters a token, and so many tokens of answer."""
    found: list[tuple[RoundSpan, ...]] = []
    for prompt in prompts:
        start = CHAT_TOKENS + len(prompt.prompt) // characters
        stop = start + new_tokens
        found.append((RoundSpan(start, stop, stop),))
    return tuple(found)


def _mixed(own: Rows, others: Rows, strategy: Strategy, setup: Setup) -> Rows:
    """The rows of a strategy: its own, or its share of them with so many of the run's."""
    most = strategy.max_conversations or setup.profile.train.max_conversations
    if strategy.mix is None or strategy.mix == 1:
        return own[:most]
    first, second = mixed_counts(len(own), len(others), strategy.mix, most)
    return own[:first] + others[:second]


def _file(rows: Rows) -> SurveyFile:
    return SurveyFile(conversations=rows, dropped={}, literal_markers=0)
