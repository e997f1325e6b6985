"""What a benchmark looks like to the rest of the program."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from autotune.base.model import Boundary
from autotune.protocol.results import EvalReport, PromptVerdict
from autotune.protocol.scores import Metric
from autotune.score.answers import Answer, match
from autotune.score.health import HEALTH_CHECKS, faultless_passes, health
from autotune.score.prompts import Prompt
from autotune.score.stats import wilson


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a scorer: its name on the screen, and the heading of its column in a report.

    `key` is what it is called in JSON (`protocol.results.Figures`); the score itself has none. A
    figure without a `column` is not in the tables of the report.
    """

    name: str
    column: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class FullSet:
    """A published set of `count` prompts, which `--prompts SOURCE` names."""

    title: str
    source: str
    count: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """Answers that take no model. A checkpoint that scores no more has learned nothing.

    Example:
        `Baseline("echo", ...)` gives every prompt back as its own answer. `described` names it in a
        table of the report, `brief` on the screen, `deed` begins a sentence, `likened` ends one:
        "Giving each prompt back unchanged scores 25 %: ... is no better than an echo."
    """

    name: str
    answers: Callable[[Sequence[Prompt]], Sequence[Answer]]
    described: str
    brief: str
    deed: str
    likened: str


class EarlyVerdict(Boundary):
    """A strict verdict that no further text can change.

    `instruction` is the one that fails, None where all pass. `characters` is how much of the
    answer was read. `loose` is always None: an unfinished answer has no loose verdict, and no
    health either.
    """

    key: int
    strict: bool
    instruction: str | None
    characters: int
    loose: None = None


class EarlyJudge(Protocol):
    """Looks at one prompt's answer while it grows.

    Example:
        A judge of "no commas" is certain at the first comma:
        `judge.look("First, ")` has `strict=False`, `judge.look("First")` is None.
    """

    def look(self, so_far: str, longest: int | None = None) -> EarlyVerdict | None:
        """The verdict on every answer that begins with `so_far`, None while it is open.

        `so_far` is the decoded text of all new tokens; halves of characters at its end are passed
        over. `longest` is the most characters that the whole answer can get, None if unknown.
        """
        ...


class Scorer(ABC):
    """Turns prompts and their answers into a report; the same input gives the same report.

    All that is particular to a benchmark stands here; the rest of the program asks. A scorer is a
    folder beside `ifeval/` with one such class, and a line in the registry.

    Example:
        class Rhymes(Scorer):
            name = "rhymes"
            title = "Rhymes"
            main = Figure(name="rhymes", column="answers that rhyme")

            def read_prompts(self, path): return read_prompts(path, prompt_of_record)
            def passes(self, prompt, response): return rhymes(response)
            def score(self, prompts, answers): return report_of(prompts, answers, verdicts)
            def explain(self, prompt, verdict, response): return ("does not rhyme",)
    """

    name: ClassVar[str]
    """What `--scorer` calls it."""

    title: ClassVar[str]
    """Its name for people."""

    main: ClassVar[Figure]
    """The figure that a target is held against: prompts that pass, strictly."""

    others: ClassVar[tuple[Figure, ...]] = ()
    """The figures beside it."""

    prompt_type: ClassVar[type[Prompt]] = Prompt
    """A prompt with what this scorer needs to judge an answer to it."""

    judges_by: ClassVar[tuple[str, str]] = ("what it judges by", "that")
    """What a prompt has for it beside a text, of one prompt and of several."""

    full_set: ClassVar[FullSet | None] = None
    """The whole of the published set. Who scored on fewer prompts is advised to run them all."""

    baselines: ClassVar[tuple[Baseline, ...]] = ()
    """What a score is held against beside the model before training."""

    health_checks: ClassVar[frozenset[str]] = HEALTH_CHECKS
    """The checks of `health` that say something here; the limits of the others are not applied."""

    decides_early: ClassVar[bool] = False
    """Whether there are early judges.

    Then the strict verdict on a prompt depends on that prompt's answer alone.
    """

    @classmethod
    def fields(cls) -> tuple[str, ...]:
        """What a record of a prompts file must hold, its key aside."""
        return tuple(name for name in cls.prompt_type.model_fields if name != "key")

    @classmethod
    def takes(cls, record: Collection[str]) -> bool:
        """Whether a record holds all that: then what is wrong with it is for this scorer to say."""
        return set(cls.fields()) <= set(record)

    @abstractmethod
    def read_prompts(self, path: Path) -> tuple[Prompt, ...]:
        """The prompts of a file, each a `prompt_type`.

        Raises:
            BadInput: the first fault, as `file:line: what`, or a file without prompts.
        """

    @abstractmethod
    def passes(self, prompt: Prompt, response: str) -> bool:
        """Whether a text passes a prompt strictly, as `score` has it; raises nothing else."""

    def asks_for_itself(self, prompt: Prompt) -> bool:
        """Whether a prompt asks to be given back as part of the answer."""
        return False

    def least_tokens(self, prompt: Prompt) -> int:
        """Tokens that any answer takes which does what a prompt asks for; 0 where not known."""
        return 0

    def usually_longer(self, tokens: int) -> float:
        """The share (0..1) of a good model's answers to the full set that take more tokens."""
        return 0.0

    @abstractmethod
    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> EvalReport:
        """The report over all `prompts`.

        Prompts without an answer count as failed and are listed in its `unmatched`. A single
        answer, whatever it holds, raises nothing: it fails.
        """

    @abstractmethod
    def explain(
        self, prompt: Prompt, verdict: PromptVerdict, response: str | None
    ) -> tuple[str, ...]:
        """Why an answer fails strictly, in words such as "3 sentences, at least 5 are required"."""

    def early_judge(self, prompt: Prompt) -> EarlyJudge | None:
        """The judge of one prompt's answer while it grows; None where nothing can be known early.

        An unfinished answer is never scored, so whoever `decides_early` is certain.
        """
        return None

    def means(self, report: EvalReport) -> Mapping[str, float]:
        """Means of its figures (0..1) that tables elsewhere hold, by name."""
        return {}

    def remark(self, report: EvalReport) -> str | None:
        """A line on how to read the figures, shown below them."""
        return None

    def sample_fields(self, prompt: Prompt, verdict: PromptVerdict) -> Mapping[str, Any]:
        """What lm-evaluation-harness logs of a prompt for this benchmark.

        `target`, `metrics` (names), and a value for each of these.
        """
        return {"target": "", "metrics": ["acc"], "acc": verdict.strict}


def report_of(
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    verdicts: Sequence[PromptVerdict],
    checks: Collection[str] = HEALTH_CHECKS,
) -> EvalReport:
    """The report of one verdict for each of `prompts`, in their order; `checks` are of health.

    The figures beside the score are the scorer's to add.
    """
    _, unmatched = match(prompts, answers)
    passed = {verdict.key for verdict in verdicts if verdict.strict}
    return EvalReport(
        n=len(verdicts),
        score=Metric.of(len(passed), len(verdicts)),
        interval=wilson(len(passed), len(verdicts)),
        health=health(prompts, answers, passed, checks),
        by_type={},
        unmatched=unmatched,
        verdicts=tuple(verdicts),
        sound=faultless_passes(prompts, answers, passed, checks),
    )


def share(passed: Sequence[bool]) -> Metric:
    """How many are true, of all of them."""
    return Metric.of(sum(passed), len(passed))
