"""The best checkpoint on all prompts of a source, where the run itself asked fewer.

At the end of a run that was asked for it: the best first, then what it is held against on the same
prompts. The untrained model answers them too: without it nobody could say whether training was
worth it there, and that is what the score is for.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autotune.base.files import write_text_atomic
from autotune.base.format import about, counted
from autotune.base.manifest import weights_in
from autotune.protocol import events
from autotune.protocol.gain import Gain
from autotune.protocol.results import EvalReport
from autotune.run.answering import RESPONSES, SCORES
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.score.answers import read_answers
from autotune.score.gain import gain_of
from autotune.score.health import broken_limits
from autotune.score.lift import counts_for
from autotune.score.prompts import Prompt
from autotune.score.report_check import EvaluationFailed, checked_report
from autotune.score.scorer import Scorer
from autotune.study.answer import answer, generate_job, strict_of
from autotune.study.best import weights_of
from autotune.study.held_out_kinds import kinds_of
from autotune.study.precision import as_trained
from autotune.study.untrained import answer_untrained

UNTRAINED = "untrained"


def best_in_full(
    session: Session,
    report: EvalReport,
    best: events.Evaluated,
    *,
    weights: dict[str, str],
    prompts: str,
    scorer: str,
    max_new_tokens: int,
    unhealthy: tuple[str, ...],
    counts: float,
) -> events.BestInFull:
    """The event of a best checkpoint's score on all `prompts` of that name."""
    return events.BestInFull.from_parts(
        report,
        number=best.number,
        checkpoint=best.checkpoint,
        weights=weights,
        prompts=prompts,
        scorer=scorer,
        max_new_tokens=max_new_tokens,
        unhealthy=unhealthy,
        counts=counts,
        kinds=kinds_of(session.state, report),
    )


def baseline_in_full(
    name: str, report: EvalReport, full: events.BestInFull, gain: Gain | None = None
) -> events.BaselineInFull:
    """The event of a baseline on the same prompts."""
    return events.BaselineInFull.from_parts(
        report, full, kind="baseline_in_full", name=name, gain=gain
    )


def score_in_full(session: Session, setup: Setup, scorer: Scorer) -> None:
    """Score the best checkpoint on all prompts of the run's source, and its baselines there.

    What is on record is not done again. Nothing is done where the run asked all of them, or has no
    best checkpoint that was answered to its end. An evaluation that fails is warned of.

    Raises:
        EnvironmentFault: the disk is full, or torch cannot be loaded.
    """
    InFull(session, setup, scorer).run()


class InFull:
    """The scoring of one run's best on all prompts."""

    def __init__(self, session: Session, setup: Setup, scorer: Scorer) -> None:
        self.session, self.scorer = session, scorer
        path = setup.prompts_file
        self.asked = len(setup.prompts)
        self.asked_file = session.rundir.all_prompts
        self.prompts: Sequence[Prompt] = scorer.read_prompts(path) if path is not None else ()
        self.setup = replace(setup, prompts=tuple(self.prompts))

    def run(self) -> None:
        """Score what is not on record yet."""
        best = self.session.state.best
        if best is None or best.partial is not None or len(self.prompts) <= self.asked:
            return
        models = ([] if self.has_best else ["the best checkpoint"]) + (
            [] if self.has_best and self.is_known(UNTRAINED) else ["the untrained model"]
        )
        if not models:
            return
        text = "".join(prompt.model_dump_json() + "\n" for prompt in self.prompts)
        write_text_atomic(self.asked_file, text)
        self.session.emit(events.Notice(about="in_full", sentence=self.sentence(models)))
        try:
            if not self.has_best:
                self.score_best(best)
            self.score_baselines(best)
        except EvaluationFailed as error:
            message = f"on all {counted(len(self.prompts), 'prompt')}: no score ({error})"
            self.session.emit(events.Warned(message=message))

    @property
    def has_best(self) -> bool:
        """Whether the score of the best on all prompts is on record."""
        full = self.session.state.best_in_full
        return full is not None and full.score.total == len(self.prompts)

    def is_known(self, name: str) -> bool:
        """Whether a baseline on the same prompts is on record."""
        return name in self.session.state.beside_best_in_full

    def score_best(self, best: events.Evaluated) -> None:
        """The best checkpoint; in the precision that it was trained in."""
        state = self.session.state
        folder = weights_of(self.session.rundir, state, best)
        setup = as_trained(self.setup, state.trials[best.number])
        answer(self.session, setup, folder, self.where(best), asked=self.asked_file)
        report = self.report(self.where(best))
        evaluate = setup.profile.evaluate
        self.session.emit(
            best_in_full(
                self.session,
                report,
                best,
                weights=weights_in(folder),
                prompts=setup.prompts_label,
                scorer=self.scorer.name,
                max_new_tokens=evaluate.max_new_tokens,
                unhealthy=broken_limits(report.health, evaluate.health),
                counts=counts_for(report, evaluate.score_per_lift),
            )
        )

    def score_baselines(self, best: events.Evaluated) -> None:
        """Those of the scorer, which take no time, and the untrained model."""
        full = self.session.state.best_in_full
        assert full is not None
        for each in self.scorer.baselines:
            if not self.is_known(each.name):
                report = checked_report(self.scorer, self.prompts, each.answers(self.prompts))
                self.session.emit(baseline_in_full(each.name, report, full))
        if self.is_known(UNTRAINED):
            return
        where = self.session.rundir.full_eval(None)
        job = generate_job(
            self.setup, self.setup.model_folder, self.asked_file, where, self.scorer.name
        )
        answer_untrained(self.session, self.setup, job, self.prompts)
        report = self.report(where)
        # Where `eval` scored the best, its answers lie elsewhere: then only the sums are compared.
        here = (self.where(best) / RESPONSES).is_file()
        trained = strict_of(self.scored(self.where(best))) if here else {}
        per_lift = self.setup.profile.evaluate.score_per_lift
        gain = gain_of(counts_for(report, per_lift), full.value, strict_of(report), trained)
        self.session.emit(baseline_in_full(UNTRAINED, report, full, gain))

    def where(self, best: events.Evaluated) -> Path:
        """Where the answers of the best to all prompts lie."""
        return self.session.rundir.full_eval((best.number, best.checkpoint))

    def report(self, where: Path) -> EvalReport:
        """Score answers, and write down what came of it."""
        report = self.scored(where)
        write_text_atomic(where / SCORES, report.model_dump_json(indent=1))
        return report

    def scored(self, where: Path) -> EvalReport:
        """The score of answers that are there."""
        think = self.setup.profile.evaluate.think
        return checked_report(self.scorer, self.prompts, read_answers(where / RESPONSES), think)

    def sentence(self, models: Sequence[str]) -> str:
        """What begins, and about how long it takes: by what the run's own prompts took."""
        took = self.session.state.baselines.get(UNTRAINED)
        seconds = None if took is None else took.seconds
        each = None if seconds is None else seconds * len(self.prompts) / self.asked
        time = "" if each is None else f", {about(len(models) * each)}"
        return (
            f"all {counted(len(self.prompts), 'prompt')} of {self.setup.prompts_label} are answered"
            f" by {', then by '.join(models)}{time}"
        )
