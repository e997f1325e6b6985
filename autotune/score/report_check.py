"""A scorer's report, taken only where it is whole: each prompt once, and shares that add up."""

from collections.abc import Sequence

from pydantic import ValidationError

from autotune.base.errors import AutotuneError
from autotune.base.format import counted
from autotune.protocol.choices import Think
from autotune.protocol.results import EvalReport
from autotune.score.answers import Answer, match
from autotune.score.lift import lift_of
from autotune.score.prompts import Prompt
from autotune.score.scorer import Scorer
from autotune.score.thoughts import judged, thoughts_of


class EvaluationFailed(Exception):
    """This model has no valid score, and why."""


def checked_report(
    scorer: Scorer,
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    think: Think = Think.KEEP,
) -> EvalReport:
    """The scorer's report. A scorer is a port: what it gives is checked like any outside value.

    It sees of each answer what is judged, and needs to know nothing of thoughts nor of lift.

    Raises:
        EvaluationFailed: it raised, or gave no report, or one whose figures cannot be.
    """
    try:
        texts = judged(answers, think)
        given: object = scorer.score(prompts, texts)
        if not isinstance(given, EvalReport):
            raise ValueError(f"gave {given!r}, which is no report")
        report = EvalReport.model_validate(given.model_dump(warnings=False))
        if report.n != len(prompts):
            raise ValueError(f"n is {report.n}, there are {counted(len(prompts), 'prompt')}")
        for metric in (report.score, *report.named_figures.values()):
            if not 0.0 <= metric.accuracy <= 1.0:
                raise ValueError(f"accuracy {metric.accuracy} is not within 0 and 1")
        lift = lift_of(scorer, prompts, texts, report.verdicts)
    except AutotuneError:
        raise
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise EvaluationFailed(
            f"scorer {scorer.name}: {where} is {fault['input']!r}: {fault['msg']}"
        ) from error
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise EvaluationFailed(f"scorer {scorer.name}: {text}") from error
    found = thoughts_of(match(prompts, answers)[0].values())
    return report.model_copy(
        update={
            "lift": lift,
            "think": think,
            "thoughts": found.answers,
            "unfinished_thoughts": found.unfinished,
        }
    )
