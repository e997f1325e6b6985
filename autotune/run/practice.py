"""Practice data made in a run folder: prompts are composed, a model answers, chats are chosen.

practice/<name>/
  prompts.jsonl    all prompts           asked.jsonl  those that the model is asked
  responses.jsonl  its answers, appended
  practice.jsonl   the chats             card.json, README.md  what they are and how they were made

Everything but the answers is made of the settings and the answers alone, and an answer of its
prompt, its sample's number and the seed. So whenever it was interrupted, the same command ends with
the same files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.base.files import write_text_atomic
from autotune.base.format import counted
from autotune.config.synth import SynthChoice
from autotune.data.contamination import ScoredPrompts, read_scored_prompts
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import GenerateJob
from autotune.protocol.sampling import Sampling
from autotune.run.answering import RESPONSES, ModelRefused, answer_all
from autotune.run.content import FINGERPRINT_DIGITS, model_digests
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.score.answers import Answer, read_answers
from autotune.score.prompts import Prompt
from autotune.score.report_check import EvaluationFailed
from autotune.sources.digest import has_digest, sha256_of_text
from autotune.synth.card import PracticeCard, card_text
from autotune.synth.card_file import CARD, README
from autotune.synth.held_out import held_out_kinds
from autotune.synth.near_copies import without_near_copies
from autotune.synth.practice import asked_prompts, practise
from autotune.synth.prompts import PracticePrompt, compose
from autotune.synth.record import practice_lines

PROMPTS, ASKED = "prompts.jsonl", "asked.jsonl"
CHATS = "practice.jsonl"

CHOOSING = "amending and choosing chats"
"""The phase after the last answer, as it is shown."""


@dataclass(frozen=True, slots=True)
class PracticePlan:
    """What a model is asked for practice data.

    `prompts` are all that its answers are for, `asked` those that it answers. `near_copies` of
    scored ones were left out. No prompt asks for a kind of `held_out`.
    """

    prompts: tuple[PracticePrompt, ...]
    asked: tuple[PracticePrompt, ...]
    near_copies: int
    held_out: tuple[str, ...]


def make_practice(
    session: Session, setup: Setup, model_folder: Path, choice: SynthChoice, where: Path
) -> Path:
    """The chats to practise on, made of answers of the model in `model_folder`; the path of them.

    All is kept in `where`, a `RunDir.practice_folder`. Answers that are there are not made again,
    and nothing is where the record says that the chats were made by these settings and they are
    unharmed.

    Raises:
        BadInput: the material does not give so many prompts, the model cannot answer as it stands,
            or the answers that are there are to other prompts.
        EnvironmentFault: the worker could not answer, or the disk is full.
    """
    name, seed = where.name, setup.profile.train.seed
    settings = settings_digest(choice, seed)
    made = session.state.practice_made.get(name)
    if made is not None and made.settings == settings and is_whole(where, made.sha256):
        return where / CHATS
    plan = practice_plan(setup, choice)
    there = keep_practice_prompts(where, plan)
    total = len(plan.asked) * choice.samples
    session.emit(
        events.PracticeStarted(
            name=name,
            model=setup.model_label,
            device=setup.device.name,
            device_kind=setup.device.kind,
            asked=len(plan.asked),
            samples=choice.samples,
            prompts=len(plan.prompts),
            near_copies=plan.near_copies,
            held_out=plan.held_out,
            settings=settings,
            answered=total - missing(there, plan.asked, choice.samples),
        )
    )
    timer = Timer()
    answers = there
    if missing(there, plan.asked, choice.samples):
        answers = sampled_answers(session, setup, model_folder, choice, where, plan.asked, timer)
    session.emit(events.Phase(name=CHOOSING))
    practice = practise(
        plan.prompts,
        answers,
        ask=choice.ask,
        words=choice.words,
        seed=seed,
        limit=choice.max_conversations,
        refuse_unasked=choice.refuse_unasked,
    )
    card = PracticeCard(
        model=setup.model_label,
        model_digest=weights_digest(model_folder),
        seed=seed,
        temperature=choice.temperature,
        top_p=choice.top_p,
        max_new_tokens=choice.max_new_tokens,
        variants=choice.variants,
        samples=choice.samples,
        ask=choice.ask,
        words=choice.words,
        held_out_kinds=plan.held_out,
        near_copies=plan.near_copies,
        counts=practice.counts,
    )
    text = "".join(practice_lines(practice.chats, model=setup.model_label, seed=seed))
    write_text_atomic(where / CARD, card.model_dump_json(indent=1) + "\n")
    write_text_atomic(where / README, card_text(card))
    write_text_atomic(where / CHATS, text)
    session.emit(
        events.PracticeMade(
            name=name,
            sha256=sha256_of_text(text),
            settings=settings,
            answers=practice.counts.samples,
            conversations=practice.counts.kept,
            as_sampled=practice.counts.kept_as_sampled,
            new_tokens=timer.new_tokens,
            seconds=timer.seconds,
        )
    )
    return where / CHATS


def is_whole(where: Path, sha256: str) -> bool:
    """Whether the chats are those that were made, with what is said of them beside them."""
    return has_digest(where / CHATS, sha256) and all((where / n).is_file() for n in (CARD, README))


def practice_plan(setup: Setup, choice: SynthChoice) -> PracticePlan:
    """The prompts of practice, without those that are scored prompts or nearly.

    Raises:
        BadInput: the material does not give so many prompts, or kinds to hold out.
    """
    seed = setup.profile.train.seed
    held_out = held_out_kinds(seed, choice.held_out_kinds)
    composed = compose(seed, choice.tasks, choice.variants, frozenset(held_out))
    scored = read_scored_prompts(setup.prompts_file) if setup.prompts_file else ScoredPrompts(())
    parted = without_near_copies(composed, scored)
    return PracticePlan(
        parted.own, asked_prompts(parted.own, choice.ask), len(parted.copies), held_out
    )


def settings_digest(choice: SynthChoice, seed: int) -> str:
    """What decides which chats come of a model, as a short text."""
    return sha256_of_text(f"{choice.model_dump_json()}:{seed}")[:FINGERPRINT_DIGITS]


def keep_practice_prompts(where: Path, plan: PracticePlan) -> tuple[Answer, ...]:
    """Write the prompts down, once; damaged files are written again. The answers that are there.

    Raises:
        BadInput: answers are there, to another prompt than would be asked now.
    """
    asked = {prompt.key: prompt.prompt for prompt in plan.asked}
    there = read_answers(where / RESPONSES) if (where / RESPONSES).exists() else ()
    for answer in there:
        if answer.key is not None and asked.get(answer.key, answer.prompt) != answer.prompt:
            raise BadInput(
                f"{where / RESPONSES}: answers another prompt {answer.key} than is asked now, so"
                " this version of the tool composes others; start a new run with another --run-dir"
            )
    for name, prompts in ((PROMPTS, plan.prompts), (ASKED, plan.asked)):
        text = "".join(prompt.model_dump_json() + "\n" for prompt in prompts)
        if not has_digest(where / name, sha256_of_text(text)):
            write_text_atomic(where / name, text)
    return there


def sampled_answers(
    session: Session,
    setup: Setup,
    model_folder: Path,
    choice: SynthChoice,
    where: Path,
    asked: Sequence[Prompt],
    timer: "Timer",
) -> tuple[Answer, ...]:
    """Every sample of every prompt; those that are missing are answered now.

    That is done by as many workers as it takes, which `timer` times.

    Raises:
        BadInput: the model cannot answer as it stands.
        EnvironmentFault: the worker could not answer; what is answered stays.
    """
    profile, out = setup.profile, where / RESPONSES
    job = GenerateJob(
        device=setup.work_device,
        model_folder=str(model_folder),
        prompts=str(where / ASKED),
        out=str(out),
        max_new_tokens=choice.max_new_tokens,
        batch_size=profile.evaluate.batch_size,
        prefill_tokens=setup.prefill_tokens,
        supervision=setup.data.supervision,
        sampling=Sampling(
            temperature=choice.temperature,
            top_p=choice.top_p,
            samples=choice.samples,
            seed=profile.train.seed,
        ),
    )
    try:
        answer_all(session, job, len(asked) * choice.samples, timer.on_event, what="practice")
    except ModelRefused as error:
        raise BadInput(str(error)) from None
    except EvaluationFailed as error:
        log = where / "worker.log"
        raise EnvironmentFault(
            f"practice: not all prompts were answered ({error})",
            log=log if log.exists() else None,
        ) from None
    answers = read_answers(out) if out.exists() else ()
    if left := missing(answers, asked, choice.samples):
        raise EnvironmentFault(
            f"{out}: lacks {counted(left, 'answer')} of {len(asked) * choice.samples}, though the"
            " worker ended well; run the same command again"
        )
    return answers


def missing(answers: Sequence[Answer], asked: Sequence[Prompt], samples: int) -> int:
    """How many answers are still to be made."""
    there = {(a.key, a.sample) for a in answers}
    return sum((p.key, number) not in there for p in asked for number in range(samples))


@dataclass
class Timer:
    """Tokens that workers generated, and in how many seconds; each worker counts from 0."""

    before: tuple[int, float] = (0, 0.0)
    now: tuple[int, float] = (0, 0.0)

    def on_event(self, event: WorkerEvent) -> None:
        """Take in what a worker says."""
        if isinstance(event, events.Ready):
            self.before, self.now = (self.new_tokens, self.seconds), (0, 0.0)
        elif isinstance(event, events.Answered):
            self.now = event.new_tokens, event.seconds

    @property
    def new_tokens(self) -> int:
        """Of all workers."""
        return self.before[0] + self.now[0]

    @property
    def seconds(self) -> float:
        """Of all workers."""
        return self.before[1] + self.now[1]


def weights_digest(folder: Path) -> str:
    """The sha256 of a model's weights; of several files that of their digests, one a line."""
    found = model_digests(folder)
    weights = [found[name] for name in sorted(found) if name.endswith(".safetensors")]
    return weights[0] if len(weights) == 1 else sha256_of_text("\n".join(weights))
