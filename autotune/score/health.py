"""Whether answers are answers: the shares that stop, loop, echo, or say (next to) nothing.

A score cannot tell: giving every prompt back word for word passes a quarter of IFEval. The
thresholds below and the evidence for them are in `docs/health.md`.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from math import ceil, floor

from autotune.protocol.results import Health, HealthLimits, Requirements
from autotune.protocol.scores import Metric
from autotune.score.answers import Answer, match
from autotune.score.prompts import Prompt

LOOP_REPEATS = 3
"""The end of an answer is a loop if it is one unit at least this many times over ..."""

LOOP_CHARACTERS = 60
"""... and at least this long, so that `!!!` or a closing row of braces is none."""

ECHO_WORDS = 5
"""Words in a row that an answer and its prompt must share to count as copied."""

ECHO_COPIED = 0.8
"""An echo is an answer of which at least this share of the words is copied ..."""

ECHO_COVERED = 0.7
"""... and that gives back at least this share of the prompt, as "My answer is no." does not."""

MIN_DIFFERENT_WORDS = 4
"""A passing answer of fewer different words than this is vacuous: what it passes, any text would.
"My answer is no.", which some prompts ask for, has four."""

ROUNDING = 1e-9
"""So that 0.8 of 20 is 16 and not 17."""

HEALTH_CHECKS = frozenset(Health.model_fields)
"""The names of all checks: stop, loop, echo, empty, vacuous."""

_WORD = re.compile(r"\w+")

_SAID = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|\w+")
"""Words, each letter of the scripts that put no spaces between words taken for one."""


def is_empty(response: str | None) -> bool:
    """Whether there is nothing but white space."""
    return response is None or not response.strip()


def loops(text: str) -> bool:
    """Whether the text ends in one unit repeated, the last time perhaps in part; linear time."""
    return before_repeats(text) is not None


def before_repeats(text: str) -> int | None:
    """Where the first time through the loop that the text ends in is over; None without a loop.

    The loop is the longest such end, in characters from the beginning of the text.
    """
    whole = _before_repeats(text)
    return whole if whole is not None else _before_repeats(text.rstrip())


def _before_repeats(text: str) -> int | None:
    # The prefix function of the reversed text: an end of n characters whose longest border is b
    # has the period n - b (Knuth, Morris, Pratt 1977).
    reverse = text[::-1]
    border = [0] * len(reverse)
    length = 0
    found = None
    for i in range(1, len(reverse)):
        while length and reverse[i] != reverse[length]:
            length = border[length - 1]
        if reverse[i] == reverse[length]:
            length += 1
        border[i] = length
        end, unit = i + 1, i + 1 - length
        if end >= LOOP_CHARACTERS and end >= LOOP_REPEATS * unit:
            found = len(text) - end + unit
    return found


def echoes(prompt: str, response: str) -> bool:
    """Whether an answer is mostly its prompt given back.

    A request to repeat the prompt and then answer it is met by the repeated part, which leaves
    out the request itself, and an answer of the model's own; neither share is then reached.
    """
    asked, words_given = _WORD.findall(prompt.lower()), _WORD.findall(response.lower())
    if not asked:
        return prompt.strip() != "" and prompt.strip() == response.strip()
    if not words_given:
        return False
    run = min(ECHO_WORDS, len(asked), len(words_given))
    copied = _shared(words_given, asked, run) / len(words_given)
    covered = _shared(asked, words_given, run) / len(asked)
    return copied >= ECHO_COPIED and covered >= ECHO_COVERED


def _shared(words: list[str], others: list[str], run: int) -> int:
    """How many of `words` stand in a run of `run` words that is also in `others`."""
    runs = {tuple(others[i : i + run]) for i in range(len(others) - run + 1)}
    count = covered = 0
    for i in range(len(words) - run + 1):
        if tuple(words[i : i + run]) in runs:
            count += i + run - max(covered, i)
            covered = i + run
    return count


def is_trivial(text: str) -> bool:
    """Whether a text has too few different words to tell that an instruction was understood."""
    return len({word.lower() for word in _SAID.findall(text)}) < MIN_DIFFERENT_WORDS


def faults_of(
    prompt: str, response: str | None, passed: bool, checks: Collection[str] = HEALTH_CHECKS
) -> tuple[str, ...]:
    """Which of `checks` find something wrong with the text of one answer."""
    text = response or ""
    found = (
        ("echo", echoes(prompt, text)),
        ("loop", loops(text)),
        ("empty", is_empty(response)),
        ("vacuous", passed and is_trivial(text)),
    )
    return tuple(name for name, holds in found if holds and name in checks)


def faultless_passes(
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    passed: Collection[int],
    checks: Collection[str] = HEALTH_CHECKS,
) -> Metric:
    """The passes (keys of prompts) that none of `checks` finds fault with, out of all prompts.

    What a score is worth without the answers that pass for no merit of theirs.
    """
    matched, _ = match(prompts, answers)
    faultless = sum(
        not faults_of(p.prompt, matched[p.key].response, True, checks)
        for p in prompts
        if p.key in passed and p.key in matched
    )
    return Metric.of(faultless, len(prompts))


def health(
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    passed: Collection[int] = (),
    checks: Collection[str] = HEALTH_CHECKS,
) -> Health:
    """Shares of the answers to `prompts` that stopped, loop, echo or are empty.

    `stop` is over the answers that record how they ended, None where none does. `vacuous` is over
    those that `passed` (keys of prompts), 0 where none did. With no answer to any prompt all is
    empty. A share that is not among `checks` is 0.
    """
    matched, _ = match(prompts, answers)
    if not matched:
        return Health(stop=None, loop=0.0, echo=0.0, empty=1.0)
    ends = [answer.finish for answer in matched.values() if answer.finish is not None]
    texts = {key: answer.response or "" for key, answer in matched.items()}
    pairs = [(p.prompt, texts[p.key]) for p in prompts if p.key in texts]
    passing = [texts[key] for key in passed if key in texts]
    return Health(
        stop=ends.count("stop") / len(ends) if ends and "stop" in checks else None,
        loop=_share(loops(text) for _, text in pairs) if "loop" in checks else 0.0,
        echo=_share(echoes(*pair) for pair in pairs) if "echo" in checks else 0.0,
        empty=_share(is_empty(text) for _, text in pairs) if "empty" in checks else 0.0,
        vacuous=_share(map(is_trivial, passing)) if passing and "vacuous" in checks else 0.0,
    )


def _share(found: Iterable[bool]) -> float:
    each = list(found)
    return sum(each) / len(each)


def broken_limits(health: Health, limits: HealthLimits) -> tuple[str, ...]:
    """A sentence for each limit that is broken, as in "echo 100 % is above 10 %".

    A stop rate that nobody recorded breaks nothing.
    """
    broken = []
    if health.stop is not None and health.stop < limits.min_stop:
        broken.append(f"stop {_percent(health.stop)} is below {_percent(limits.min_stop)}")
    for name in ("loop", "echo", "empty", "vacuous"):
        share, limit = getattr(health, name), getattr(limits, f"max_{name}")
        if share > limit:
            broken.append(f"{name} {_percent(share)} is above {_percent(limit)}")
    return tuple(broken)


_OF_ANSWERS = {
    "loop": "loop",
    "echo": "give the prompt back",
    "empty": "are empty",
    "vacuous": "are trivial",
}


def unmet(health: Health, required: Requirements, answers: int, passes: int) -> tuple[str, ...]:
    """A sentence for each requirement that is not met, as in "7 of 24 stop, 20 needed".

    `answers` and `passes` are how many there are; trivial is a share of the passes. What cannot be
    looked up is not met.
    """
    missed = []
    if (least := required.min_stop) is not None:
        if health.stop is None:
            missed.append("how answers ended is not recorded, so min_stop cannot be checked")
        else:
            stopped, needed = round(health.stop * answers), ceil(least * answers - ROUNDING)
            if stopped < needed:
                missed.append(f"{stopped} of {answers} stop, {needed} needed")
    for name, they in _OF_ANSWERS.items():
        most = getattr(required, f"max_{name}")
        if most is None:
            continue
        of = passes if name == "vacuous" else answers
        found, allowed = round(getattr(health, name) * of), floor(most * of + ROUNDING)
        if found > allowed:
            missed.append(f"{found} of {of} {they}, at most {allowed} may")
    return tuple(missed)


def echo_answers(prompts: Sequence[Prompt]) -> tuple[Answer, ...]:
    """The parrot: every prompt given back as its own answer, the baseline of no effort."""
    return tuple(
        Answer(key=prompt.key, prompt=prompt.prompt, response=prompt.prompt, finish="stop")
        for prompt in prompts
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + " %"
