"""Composes prompts of practice: what is asked for, in several variants of verifiable instructions.

A task is a topic and a form ("Write a poem about rivers"). Its variants ask for one to three
instructions each, in one of many wordings, and lead with different kinds.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from autotune.base.errors import BadInput
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.synth.arguments import LESS_THAN, draw_rule
from autotune.synth.conflicts import clash
from autotune.synth.deck import Deck
from autotune.synth.forms import Form, Kind, allowed, fits, forms, word_task
from autotune.synth.kinds import (
    LANGUAGE_PARTNERS,
    RESHAPES,
    WEIGHTS,
    Ask,
    Rule,
    with_partners,
)
from autotune.synth.request import word_repetition, word_request
from autotune.synth.topics import ASKED_ONE_WAY, NOUNS, Topic, practice_topics

MAX_ATTEMPTS = 200
"""Draws before a prompt is given up; nearly all need one to three."""

TASK_ATTEMPTS = 20
"""Draws for a task that was not asked for yet; then it comes again, with other instructions."""

MAX_NAME_WORDS = 4
"""Longer names of topics, as "an app that reminds people", would take a rule put behind them."""


class PracticePrompt(IFEvalPrompt):
    """A prompt of practice: one variant of a task. `key` is unique over all.

    `task` counts from 0; `variant` 0..m-1 within it; variants of a task share what is asked for
    and differ in the instructions. `request` is what is asked for, without them; in a task in
    another language with that instruction, which no edit makes an answer follow. `topic` and `form`
    name what it was composed from.
    """

    task: int
    variant: int
    request: str
    topic: str
    form: str


@dataclass(frozen=True, slots=True)
class _Task:
    """What the variants of a task share, and the kind that leads each."""

    number: int
    topic: Topic
    form: Form
    wanted: str
    leads: tuple[Ask, ...]
    language: Rule | None
    """The same in every variant, whose answers are made of one."""
    request: str
    """What is wanted, in that language where there is one."""


@dataclass(frozen=True, slots=True)
class _Variant:
    text: str
    rules: tuple[Rule, ...]

    @property
    def changes_much(self) -> bool:
        """Whether an answer to it is of little use to the other variants: recast, or cut short."""
        short = (Ask.WORDS, Ask.SENTENCES)
        return any(
            rule.ask in RESHAPES or (rule.ask in short and rule.relation == LESS_THAN)
            for rule in self.rules
        )


def compose(
    seed: int,
    tasks: int,
    variants: int,
    held_out: frozenset[str],
    topics: Sequence[Topic] | None = None,
) -> tuple[PracticePrompt, ...]:
    """`tasks` x `variants` prompts, all different, in the order of tasks, then of variants.

    No prompt asks for an instruction of `held_out`. `topics` are the practice topics unless given.
    The same in every process, and fewer tasks with the same other arguments are the beginning of
    more. Variant 0, which the model is asked, is one that leaves a text as the others can use it.

    Raises:
        BadInput: fewer than one task or variant, or more than the material allows.
    """
    for name, value in (("tasks", tasks), ("variants", variants)):
        if value < 1:
            raise BadInput(f"{name} {value}: must be at least 1; ask for 3, say")
    composer = _Composer(seed, variants, held_out, topics or practice_topics())
    return tuple(prompt for number in range(tasks) for prompt in composer.next_task(number))


class _Composer:
    """Deals topics and leading kinds, and remembers what was composed."""

    def __init__(
        self, seed: int, variants: int, held_out: frozenset[str], topics: Sequence[Topic]
    ) -> None:
        self._seed, self._variants = seed, variants
        asks = [ask for ask in WEIGHTS if ask.value not in held_out]
        self._asks = frozenset(asks)
        cards = [ask for ask in asks for _ in range(WEIGHTS[ask])]
        self._leads = Deck(cards, f"{seed}:leads")
        partners = [ask for ask in asks if ask in LANGUAGE_PARTNERS]
        self._partners = Deck(partners, f"{seed}:partners of a language")
        twice = [topic for topic in topics for _ in range(1 if topic.sort in ASKED_ONE_WAY else 2)]
        self._topics = Deck(twice, f"{seed}:topics")
        self._seen: set[str] = set()

    def next_task(self, number: int) -> list[PracticePrompt]:
        """The prompts of a task, with variant 0 first."""
        leads = self._next_leads()
        topic = self._topics.take(lambda topic: bool(_forms(topic, leads)))
        if topic is None:
            raise BadInput(f"topics: none of them goes with {', '.join(leads)}")
        task = self._task(number, topic, leads)
        drawn = [self._variant(task, variant) for variant in range(self._variants)]
        drawn.sort(key=lambda each: each.changes_much)
        return [
            PracticePrompt(
                key=number * self._variants + variant,
                prompt=each.text,
                instruction_id_list=tuple(rule.ask.value for rule in each.rules),
                kwargs=tuple(rule.kwargs for rule in each.rules),
                task=number,
                variant=variant,
                request=task.request,
                topic=topic.name,
                form=task.form.name,
            )
            for variant, each in enumerate(drawn)
        ]

    def _next_leads(self) -> tuple[Ask, ...]:
        """One for each variant, all different, that some kind of text can follow each of."""
        leads: list[Ask] = []
        while len(leads) < self._variants:
            lead = self._leads.take(lambda ask: _can_lead(ask, leads))
            if lead is None:
                raise self._too_many_variants(len(leads))
            leads.append(lead)
            if lead is Ask.LANGUAGE:
                return (lead, *self._language_leads())
        return tuple(leads)

    def _language_leads(self) -> list[Ask]:
        """What leads the other variants of a task in another language."""
        partners: list[Ask] = []
        while len(partners) < self._variants - 1:
            partner = self._partners.take(lambda ask: ask not in partners)
            if partner is None:
                raise self._too_many_variants(len(partners) + 1)
            partners.append(partner)
        return partners

    def _too_many_variants(self, possible: int) -> BadInput:
        return BadInput(
            f"variants {self._variants}: no more than {possible} different kinds of instruction"
            " go with one task; ask for 3, say"
        )

    def _task(self, number: int, topic: Topic, leads: tuple[Ask, ...]) -> _Task:
        for attempt in range(TASK_ATTEMPTS):
            # A string seeds by its SHA-512, so the draw is the same in every process.
            rng = random.Random(f"{self._seed}:task {number}:{attempt}")
            fitting = _forms(topic, leads)
            form = rng.choices(fitting, weights=[each.weight for each in fitting])[0]
            wanted = word_task(form, topic, rng)
            if wanted not in self._seen:
                break
        # Where every way to ask was taken, the instructions still make it another prompt.
        self._seen.add(wanted)
        language = draw_rule(Ask.LANGUAGE, form, topic, rng) if Ask.LANGUAGE in leads else None
        request = word_request(wanted, [language] if language else [], simple=False, rng=rng)
        return _Task(number, topic, form, wanted, leads, language, request)

    def _variant(self, task: _Task, variant: int) -> _Variant:
        for attempt in range(MAX_ATTEMPTS):
            rng = random.Random(f"{self._seed}:task {task.number}:variant {variant}:{attempt}")
            made = _worded(task, self._rules(task, task.leads[variant], rng), rng)
            if made.text not in self._seen and not clash(made.rules):
                self._seen.add(made.text)
                return made
        raise BadInput(
            f"tasks: no new prompt about {task.topic.name} was found in {MAX_ATTEMPTS} draws;"
            " ask for fewer"
        )

    def _rules(self, task: _Task, lead: Ask, rng: random.Random) -> list[Rule]:
        """The lead with its arguments, and up to two more."""
        asks = (lead,) if task.language is None or lead is Ask.LANGUAGE else (lead, Ask.LANGUAGE)
        # What leads another variant stays there, so that no variant is nearly another's.
        partners = (allowed(task.form.kind) & self._asks) - set(task.leads)
        return [
            task.language
            if ask is Ask.LANGUAGE and task.language
            else draw_rule(ask, task.form, task.topic, rng)
            for ask in with_partners(asks, partners, rng)
        ]


def _worded(task: _Task, rules: list[Rule], rng: random.Random) -> _Variant:
    """The rules in words; the request itself becomes an argument where it is to be repeated."""
    repeated = rules[0].ask is Ask.REPEAT
    others = rules[1:] if repeated else rules
    simple = task.topic.sort in NOUNS and len(task.topic.name.split()) <= MAX_NAME_WORDS
    text = word_request(task.wanted, others, simple, rng)
    if not repeated:
        return _Variant(text, tuple(others))
    rule = Rule(ask=Ask.REPEAT, kwargs={"prompt_to_repeat": text})
    return _Variant(word_repetition(text, rule, rng), (rule, *others))


def _can_lead(ask: Ask, others: Sequence[Ask]) -> bool:
    """Whether a variant may lead with a kind beside what leads the others of its task.

    A text in another language is of no use to a variant that asks for none.
    """
    if ask is Ask.LANGUAGE:
        return not others
    return ask not in others and any(fits(kind, (*others, ask)) for kind in Kind)


def _forms(topic: Topic, leads: Sequence[Ask]) -> list[Form]:
    """The forms that fit a topic and can follow each of the leading kinds."""
    kinds = {kind for kind in Kind if fits(kind, leads)}
    return [f for f in forms() if f.kind in kinds and f.requests_about(topic)]
