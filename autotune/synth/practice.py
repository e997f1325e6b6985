"""Practice chats chosen from sampled answers: amended, verified, balanced.

Rejection sampling (Zelikman et al. 2022, arXiv:2203.14465; Yuan et al. 2023, arXiv:2308.01825)
keeps those of a model's own answers that are right. Of a small model these are few, and of some
kinds of instruction none, so answers are also amended by construction before they are verified
(`autotune.score.ifeval.amended`).
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from autotune.protocol.choices import Asked
from autotune.score.answers import Answer
from autotune.score.ifeval.amended import Amended, Unusable, amended
from autotune.score.ifeval.arguments import Argument
from autotune.score.ifeval.instructions import instruction_of
from autotune.synth.balance import balanced
from autotune.synth.chats import PracticeChat
from autotune.synth.counts import PracticeCounts, asked_for, counts_of
from autotune.synth.kinds import Ask
from autotune.synth.lengths import WordRange, beginning, drawn_words
from autotune.synth.prompts import PracticePrompt
from autotune.synth.shape import missed_shape
from autotune.synth.topics import noun_phrase
from autotune.synth.two_samples import joined, pairs

SHOWS = frozenset(
    {
        Ask.CONSTRAINED,
        Ask.ENDING,
        Ask.JSON,
        Ask.LANGUAGE,
        Ask.LOWERCASE,
        Ask.PARAGRAPHS,
        Ask.PLACEHOLDERS,
        Ask.POSTSCRIPT,
        Ask.QUOTATION,
        Ask.REPEAT,
        Ask.SECTIONS,
        Ask.TITLE,
        Ask.TWO_RESPONSES,
        Ask.UPPERCASE,
    }
)
"""Kinds that an answer shows it was made for: odd where nobody asks for them. One without commas,
or with bullets, would do anywhere."""

ELSEWHERE = "made for another prompt"
"""Why an answer is not held against a prompt of its task: it shows what that does not ask for."""


@dataclass(frozen=True, slots=True)
class Practice:
    """The chats that are kept, in the order of their prompts, and what was counted on the way."""

    chats: tuple[PracticeChat, ...]
    counts: PracticeCounts


@dataclass(frozen=True, slots=True)
class Terms:
    """How answers are made chats: cut to a number of `words` (least, most) if to any, by a seed.

    `refuse_unasked` leaves out what shows a gap, program code or a title that nobody asked for, and
    a poem or a conversation that is none.
    """

    words: WordRange | None
    seed: int
    refuse_unasked: bool


def asked_prompts(prompts: Iterable[PracticePrompt], ask: Asked) -> tuple[PracticePrompt, ...]:
    """What the model is asked: of each task its first variant, with or without instructions."""
    first = (variants[0] for variants in _tasks(prompts).values())
    if ask is Asked.VARIANT:
        return tuple(first)
    bare = {"instruction_id_list": (), "kwargs": ()}
    return tuple(each.model_copy(update={"prompt": each.request, **bare}) for each in first)


def practise(
    prompts: Sequence[PracticePrompt],
    answers: Sequence[Answer],
    *,
    ask: Asked,
    words: WordRange | None,
    seed: int,
    limit: int | None,
    refuse_unasked: bool = True,
) -> Practice:
    """Chats to practise on, made of the answers to `asked_prompts`; `limit` is how many at most.

    Each answer is amended for every prompt of its task, but for one that shows what only the prompt
    that was asked asks for (`SHOWS`): small letters, a postscript. What is amended is its beginning
    of a number of `words` (least, most) that is drawn for each prompt, where one of that length can
    follow; else, and without `words`, the whole answer. What is refused, `Terms` says. Where two
    responses are asked for, each two samples of a task are held against the prompt as well, joined.
    Then

    1. of the texts for a prompt one is taken: one that passes as it was sampled before all others,
       then one in which no edit strains (`Instruction.strains`: keywords, letters), then one of an
       answer that serves fewer of the task's other prompts, then the one with fewer edits;
    2. chats are chosen so that kinds and lengths are balanced (`autotune.synth.balance`).

    So a prompt is in one chat at most, and an answer in as many as its task has prompts. The same
    for the same seed, whatever the order of the prompts and the answers. Answers that belong to no
    prompt that was asked are counted and passed over.

    Raises:
        EnvironmentFault: a package that a check needs is not installed.
    """
    tasks = _tasks(prompts)
    asked = {prompt.task: prompt for prompt in asked_prompts(prompts, ask)}
    sampled = _sampled(asked.values(), answers)
    terms = Terms(words, seed, refuse_unasked)
    usable: list[PracticeChat] = []
    unusable: list[Unusable] = []
    for task, found in sampled.items():
        for prompt in tasks[task]:
            texts = [(a, _made(asked[task], a, prompt, terms)) for a in found]
            for pair in pairs(prompt, found):
                texts.append((pair[0], _made_of_two(asked[task], pair, prompt, terms)))
            for answer, made in texts:
                if isinstance(made, Unusable):
                    unusable.append(made)
                else:
                    usable.append(PracticeChat(prompt, answer, made))
    kept = balanced(_one_each(usable, seed), asked_for(prompts), limit)
    samples = [answer for found in sampled.values() for answer in found]
    return Practice(
        tuple(sorted(kept, key=lambda chat: (chat.prompt.task, chat.prompt.variant))),
        counts_of(
            prompts,
            usable,
            unusable,
            kept,
            samples=samples,
            unknown=len(answers) - len(samples),
        ),
    )


def _tasks(prompts: Iterable[PracticePrompt]) -> dict[int, list[PracticePrompt]]:
    """Task -> its prompts, both in order."""
    found: dict[int, list[PracticePrompt]] = defaultdict(list)
    for prompt in sorted(prompts, key=lambda each: (each.task, each.variant)):
        found[prompt.task].append(prompt)
    return found


def _sampled(asked: Iterable[PracticePrompt], answers: Iterable[Answer]) -> dict[int, list[Answer]]:
    """Task -> the answers to its prompt that was asked, both in order."""
    by_key = {prompt.key: prompt for prompt in asked}
    by_text = {prompt.prompt: prompt for prompt in asked}
    found: dict[int, list[Answer]] = {prompt.task: [] for prompt in asked}
    for answer in answers:
        prompt = by_text.get(answer.prompt) if answer.key is None else by_key.get(answer.key)
        if prompt is not None and prompt.prompt == answer.prompt:
            found[prompt.task].append(answer)
    for each in found.values():
        each.sort(key=lambda answer: (answer.sample or 0, answer.response or ""))
    return found


def _made(
    asked: PracticePrompt,
    answer: Answer,
    prompt: PracticePrompt,
    terms: Terms,
) -> Amended | Unusable:
    """The answer to the prompt that was asked, made to follow one of the same task."""
    text, draw = answer.response or "", _drawn(terms.seed, prompt, answer)
    if _is_elsewhere(asked, text, prompt):
        return Unusable(ELSEWHERE)
    short = beginning(text, drawn_words(terms.words, draw)) if terms.words else text
    if short != text:
        made = _amended(prompt, short, draw, False, terms)
        if isinstance(made, Amended):
            return replace(made, cut=True)
    return _amended(prompt, text, draw, answer.finish == "stop", terms)


def _amended(
    prompt: PracticePrompt, text: str, draw: int, finished: bool, terms: Terms
) -> Amended | Unusable:
    """A text amended for a prompt, where it looks like what the prompt asks for."""
    about, refuse = noun_phrase(prompt.topic), terms.refuse_unasked
    made = amended(prompt, text, draw, finished, about, refuse_unasked=refuse)
    missed = missed_shape(prompt, made.text) if refuse and isinstance(made, Amended) else None
    return Unusable(missed) if missed else made


def _made_of_two(
    asked: PracticePrompt,
    pair: tuple[Answer, Answer],
    prompt: PracticePrompt,
    terms: Terms,
) -> Amended | Unusable:
    """Two answers to the prompt that was asked, made the two responses that another asks for."""
    if any(_is_elsewhere(asked, each.response or "", prompt) for each in pair):
        return Unusable(ELSEWHERE)
    draw = _drawn(terms.seed, prompt, pair[0])
    text = joined(pair, drawn_words(terms.words, draw) if terms.words else None)
    made = _amended(prompt, text, draw, True, terms)
    return replace(made, cut=True) if isinstance(made, Amended) else made


def _is_elsewhere(asked: PracticePrompt, text: str, prompt: PracticePrompt) -> bool:
    """Whether a text shows what the prompt that was asked asks for, and another does not."""
    only = [each for each in _shown(asked) if each not in _shown(prompt)]
    return any(instruction_of(*each).follows(text) for each in only)


def _shown(prompt: PracticePrompt) -> list[tuple[str, dict[str, Argument]]]:
    """Its instructions that an answer shows, with their arguments."""
    both = zip(prompt.instruction_id_list, prompt.kwargs, strict=True)
    return [(kind, given) for kind, given in both if kind in SHOWS]


def _one_each(usable: Sequence[PracticeChat], seed: int) -> list[PracticeChat]:
    """The best of the chats of each prompt, in an order by seed."""
    of_prompt: dict[int, list[PracticeChat]] = defaultdict(list)
    for chat in usable:
        of_prompt[chat.prompt.key].append(chat)
    serves: Counter[tuple[int, str | None]] = Counter()
    best: list[PracticeChat] = []
    for chats in of_prompt.values():
        chosen = min(
            chats,
            key=lambda chat: (
                not chat.amended.as_sampled,
                bool(chat.amended.strained),
                serves[chat.prompt.task, chat.answer.response],
                chat.edits,
                _drawn(seed, chat.prompt, chat.answer),
            ),
        )
        serves[chosen.prompt.task, chosen.answer.response] += 1
        best.append(chosen)
    return sorted(best, key=lambda chat: _drawn(seed, chat.prompt, chat.answer))


def _drawn(seed: int, prompt: PracticePrompt, answer: Answer) -> int:
    """A number for a prompt with an answer, the same in every process."""
    name = f"{seed}:{prompt.key}:{answer.sample or 0}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
