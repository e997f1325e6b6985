"""Where answers that are already there lie: a file, an evaluation's folder, a run, a checkpoint."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autotune.base.errors import BadInput
from autotune.base.format import counted, quoted
from autotune.protocol.choices import Think
from autotune.protocol.events import Evaluated
from autotune.protocol.scores import DEFAULT_SCORER
from autotune.run.answering import RESPONSES
from autotune.run.find_run import run_of as run_of
from autotune.run.folder import EVALUATED, RunDir
from autotune.run.record_cache import RecordCache
from autotune.run.state import StudyState, replay
from autotune.score.answers import answers_to, read_answers
from autotune.score.prompts import Prompt, written_prompts
from autotune.sources.model_folder import is_model_folder


@dataclass(frozen=True, slots=True)
class Answered:
    """A file of answers, and the run that it belongs to, if any."""

    responses: Path
    run: RunDir | None


def find_answers(target: Path) -> Answered:
    """The answers that a path stands for.

    Raises:
        BadInput: there is no such path, or no answers belong to it.
    """
    run = run_of(target)
    found = _find(target, run)
    if run is not None:
        _refuse_part(target, found, run)
    return Answered(found, run)


def _refuse_part(target: Path, responses: Path, run: RunDir) -> None:
    """Those that were finished first, nor decided early, are no fair sample of a model's answers.

    Raises:
        BadInput: an evaluation of the run that was not answered to its end.
    """
    if responses.name != RESPONSES:
        return  # a file of the user's own that only lies there
    prompts = {prompt.key for prompt in written_prompts(run.prompts, Prompt)}
    answered = prompts & {answer.key for answer in read_answers(responses)}
    if len(answered) < len(prompts):
        raise BadInput(
            f"{target}: {len(answered)} of {counted(len(prompts), 'prompt')} are answered to the"
            " end, which is no fair sample of the others (it was stopped early, or not finished); a"
            " new run with --full answers everything"
        )


def _find(target: Path, run: RunDir | None) -> Path:
    if target.is_file():
        return target
    if not target.exists():
        raise BadInput(f"{target}: no such file or folder; give answers, a run or its checkpoint")
    if (target / RESPONSES).is_file():
        return target / RESPONSES
    where = _evaluated(target, run) if run is not None else None
    if where is not None and (where / RESPONSES).is_file():
        return where / RESPONSES
    model = target if run is None else _model_of(target, run)
    remedy = (
        ", and no model that could give some; give a file of answers, or another run"
        if model is None
        else f"; score it first with smolsft-autotune eval {quoted(str(model))}, and give the"
        " folder of that run"
    )
    raise BadInput(f"{target}: no answers are here ({RESPONSES}){remedy}")


def _model_of(target: Path, run: RunDir) -> Path | None:
    """What `eval` can score of a run, or of a folder in it: the run's best, a checkpoint."""
    model = run.best if target.absolute() == run.root.absolute() else target
    return model if is_model_folder(model) else None


def run_of_best(
    model: Path, record_cache: RecordCache
) -> tuple[RunDir, StudyState, Evaluated] | None:
    """The run whose best checkpoint lies at `model`, as `best/` or where it was saved."""
    run = run_of(model)
    if run is None:
        return None
    state = record_cache.of(run).state
    best = state.best
    if best is None:
        return None
    places = (run.best, run.checkpoint(best.number, best.checkpoint))
    if model.absolute() not in [path.absolute() for path in places]:
        return None
    return run, state, best


def judged_by(run: RunDir) -> Think:
    """Which text of answers a run judges; older runs, which do not say, judged all of it."""
    try:
        return Think(_setting(run, "evaluate", "think"))
    except ValueError:
        return Think.KEEP


def scored_by(run: RunDir) -> str:
    """The name of a run's scorer; older runs, which do not say, had the only one there was."""
    return _setting(run, "prompts", "scorer") or DEFAULT_SCORER


def _setting(run: RunDir, table: str, name: str) -> str:
    """A setting of a run's profile, empty where it is not there or cannot be read."""
    try:
        settings = tomllib.loads(run.run_toml.read_text(encoding="utf-8"))
        return str(settings[table][name])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def untrained_answers(model: Path) -> Path | None:
    """What the model of the same run answered before training, if it did."""
    run = run_of(model) if model.exists() else None
    responses = run.eval_folder("untrained") / RESPONSES if run is not None else None
    return responses if responses is not None and responses.is_file() else None


def other_cap_line(model: Path, prompts: Sequence[Prompt], max_new_tokens: int) -> str | None:
    """Why the answers before training stand beside no score: they had another cap on new tokens.

    None where they had this one, and where there are none to these prompts.
    """
    run, there = run_of(model) if model.exists() else None, untrained_answers(model)
    if run is None or there is None or not answers_to(there, prompts).answers:
        return None
    cap = _setting(run, "evaluate", "max_new_tokens")
    if cap == str(max_new_tokens):
        return None
    had = f"up to {cap} new tokens" if cap else "a limit that the run does not name"
    remedy = f"; --max-new-tokens {cap} compares" if cap else ""
    return (
        f"the run's answers before training are not set beside this score: they had {had}, these"
        f" up to {max_new_tokens}{remedy}"
    )


def _evaluated(target: Path, run: RunDir) -> Path | None:
    """The folder of the evaluation of a run, of its best checkpoint, or of one of the others."""
    here, root = target.absolute(), run.root.absolute()
    if here in (root, run.best.absolute()):
        best = replay(run.records()).best
        # A folder that `eval MODEL` made holds one model and no study.
        return (
            run.eval_folder(EVALUATED)
            if best is None
            else run.checkpoint_eval(best.number, best.checkpoint)
        )
    parts = here.relative_to(root).parts
    if len(parts) == 4 and parts[0] == "trials" and parts[2] == "checkpoints":
        return run.eval_folder(f"trial-{parts[1]}-{parts[3]}")
    return None
