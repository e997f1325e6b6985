"""`eval`: the score of a model, or of answers that were made elsewhere."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from autotune.base.errors import BadInput, EnvironmentFault, ExitCode, Interruption
from autotune.base.files import write_text_atomic
from autotune.base.format import counted
from autotune.base.home import from_home
from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.device import asked_device, chosen_profile, demand_speed, say_note
from autotune.cli.find_answers import find_answers, other_cap_line, untrained_answers
from autotune.cli.folder_work import EVALUATION
from autotune.cli.full_score import emit_full_score
from autotune.cli.low_cap import say_low_cap
from autotune.cli.next_command import next_command
from autotune.cli.options import SETTINGS, Options
from autotune.cli.paths import demand_answers, demand_folder, demand_writable
from autotune.cli.run_folder import (
    RUNS,
    choose_folder,
    interruption_from,
    store_settings,
    undone_without_answers,
)
from autotune.cli.selection_bias import with_selection_bias
from autotune.config.profile import Profile
from autotune.device.find import find_device
from autotune.launch import SubprocessRunner
from autotune.run.answering import RESPONSES, ModelRefused
from autotune.run.folder import EVALUATED, RunDir, new_run_folder
from autotune.run.inputs import demand_model, demand_prompts, read_source
from autotune.run.record_cache import RecordCache
from autotune.run.session import Session
from autotune.run.setup import open_setup
from autotune.score.answers import Answer, answers_to, count_answers, read_answers
from autotune.score.evaluation import Evaluation, as_tree, evaluate
from autotune.score.health import echo_answers
from autotune.score.lm_eval import sample_logs
from autotune.score.prompts import Prompt, repeated_line, subset
from autotune.score.registry import find_scorer
from autotune.score.report_check import EvaluationFailed, checked_report
from autotune.score.scorer import Scorer
from autotune.screen.eval import evaluated_summary
from autotune.screen.plain import PlainView
from autotune.sources.prompts import resolve_prompts
from autotune.study.answer import answer_and_score
from autotune.text.interruption import interrupted_eval
from autotune.text.score import named_answer, stray_lines


@dataclass(frozen=True, slots=True)
class EvalRequest:
    """What `eval` was asked for beside the shared options."""

    targets: tuple[str, ...] = ()
    responses: Path | None = None
    baseline: Path | None = None
    samples: Path | None = None
    examples: int = 3
    target: float | None = None

    @property
    def model(self) -> Path | None:
        """The model as a path, which a name of one is not; None where its answers are given."""
        return from_home(self.targets[0]) if self.targets else None


def eval_command(options: Options, wanted: EvalRequest) -> int:
    """`eval`; with a target, exit 0 if the score counts for as much, else 1."""
    if wanted.examples < 0:
        raise BadInput(f"--examples {wanted.examples}: must be 0 or more")
    if wanted.targets[:1] == ("compare",):
        from autotune.cli.compare import compare_command

        if wanted.target is not None or wanted.responses or wanted.baseline or wanted.samples:
            raise BadInput(
                "eval compare A B: takes no --target, --responses, --baseline or --samples; leave"
                " them out"
            )
        return compare_command(options, wanted.targets[1:], wanted.examples)
    if len(wanted.targets) > 1:
        raise BadInput(
            f"eval {wanted.targets[0]} {wanted.targets[1]}: takes one model; to compare two: eval"
            " compare A B"
        )
    if bool(wanted.targets) == (wanted.responses is not None):
        raise BadInput("eval: give a model or --responses FILE, one of the two")
    if wanted.responses is not None:
        demand_effect(options)
    console = human_console(options.as_json)
    profile = chosen_profile(options, computes=bool(wanted.targets))
    demand_writable("--samples", wanted.samples)
    demand_folder(wanted.targets)
    demand_answers(wanted.responses)
    if wanted.baseline is not None:
        wanted = replace(wanted, baseline=find_answers(wanted.baseline).responses)
    generation: dict[str, Any] = {}
    label = ""
    if wanted.responses is not None:
        scorer = find_scorer(profile.prompts.scorer)
        prompts = chosen_prompts(console, options, profile, scorer)
        answers = answers_of(console, wanted.responses, prompts)
        say_on(console)(f"health limits of the profile {profile.name}")
    else:
        prompts, answers, label = answer_with_model(console, options, wanted.targets[0])
        generation = {
            "until": [],
            "do_sample": False,
            "temperature": 0.0,
            "max_gen_toks": profile.evaluate.max_new_tokens,
        }
    record_cache = RecordCache()
    before, other_cap = wanted.baseline, None
    model = wanted.model
    if model is not None and before is None:
        other_cap = other_cap_line(model, prompts, profile.evaluate.max_new_tokens)
        before = untrained_answers(model) if other_cap is None else None
    found = evaluated(wanted, profile, prompts, answers, before, record_cache)
    console.print(evaluated_summary(found))
    if other_cap is not None:
        say_on(console)(other_cap)
    if model is not None and model.exists():
        asked = asked_profile(options, wanted.targets[0])
        emit_full_score(found, model, prompts, label, asked, say_on(console), record_cache)
    if wanted.samples is not None:
        logs = sample_logs(found.scorer, prompts, answers, found.report, generation)
        lines = (json.dumps(line, ensure_ascii=False) + "\n" for line in logs)
        write_text_atomic(wanted.samples, "".join(lines))
        say_on(console)(f"samples as lm-evaluation-harness logs them: {wanted.samples}")
    say_on(console)(f"next: {command_after(options, wanted)}")
    if options.as_json:
        print_json(as_tree(found))
    return ExitCode.BELOW_TARGET if found.met is False else ExitCode.DONE


def command_after(options: Options, wanted: EvalRequest) -> str:
    """What to do after a score: train the model; of a run's checkpoint, read the run's report."""
    if wanted.responses is not None:
        return next_command("eval compare", options, str(wanted.responses), "OTHER-ANSWERS")
    assert wanted.model is not None  # one of the two was given
    run = next((folder for folder in wanted.model.parents if (folder / "run.toml").is_file()), None)
    if run is not None:
        return next_command("report", options, str(run))
    return next_command("run", replace(options, model=wanted.targets[0]))


OF_ANSWERING = ("max_new_tokens", "vram_budget", "device", "precision", "run_dir")
"""Options that say how a model answers, and so nothing where the answers are there."""


def demand_effect(options: Options) -> None:
    """Refuse options that have none on answers that were made elsewhere.

    Raises:
        BadInput: some were typed; all of them are named.
    """
    typed = [SETTINGS[n].spelling(n) for n in OF_ANSWERING if getattr(options, n) is not None]
    if typed:
        raise BadInput(
            f"{', '.join(typed)}: no effect with --responses, whose answers are there already;"
            " leave out"
        )


def evaluated(
    wanted: EvalRequest,
    profile: Profile,
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    before: Path | None,
    record_cache: RecordCache,
) -> Evaluation:
    """The score beside that of the answers `before`: the baseline's, or those of the run."""
    try:
        found = evaluate(
            find_scorer(profile.prompts.scorer),
            prompts,
            answers,
            profile.evaluate.health,
            score_per_lift=profile.evaluate.score_per_lift,
            required=profile.evaluate.require,
            examples=wanted.examples,
            baseline=answers_to(before, prompts).answers if before is not None else None,
            target=wanted.target,
            think=profile.evaluate.think,
        )
    except EvaluationFailed as error:
        raise EnvironmentFault(f"eval: no score ({error})") from None
    if wanted.baseline is not None and found.before is None:
        raise BadInput(
            f"--baseline {wanted.baseline}: answers none of the"
            f" {counted(len(prompts), 'prompt')} that are scored; give answers to the same prompts,"
            " or leave --baseline out"
        )
    model = wanted.model
    if model is None or not model.exists():
        return found
    return with_selection_bias(found, model, prompts, record_cache)


def chosen_prompts(
    console: Console, options: Options, profile: Profile, scorer: Scorer
) -> tuple[Prompt, ...]:
    """The prompts to score on; all of a file unless a limit was typed."""
    source = profile.prompts.source
    prompts = read_source(scorer, source, resolve_prompts(source, say_on(console)))
    limited = options.prompt_limit is not None or options.assigns("prompts.limit")
    if limited and profile.prompts.limit != "all":
        prompts = subset(prompts, profile.prompts.limit, profile.prompts.seed)
    if (line := repeated_line(prompts)) is not None:
        say_on(console)(line)
    return prompts


def answers_of(console: Console, responses: Path, prompts: Sequence[Prompt]) -> tuple[Answer, ...]:
    """The answers in a file that belong to a prompt; says how many do not, and of a truncated end.

    Raises:
        BadInput: there are no answers, or none of them belongs to a prompt.
    """
    found = answers_to(responses, prompts)
    if not found.seen:
        raise BadInput(f"--responses {responses}: holds no answers; give one object a line")
    if not found.answers:
        raise BadInput(
            f"--responses {responses}: none of its {counted(found.seen, 'answer')} belongs to a"
            f" prompt ({named_answer(found.first_unknown)}); give the prompts that were asked with"
            " --prompts, and their keys or none"
        )
    for line in stray_lines(found, len(prompts)):
        say_on(console)(line)
    if found.truncated_end:
        say_on(console)(f"{responses}: the last line is truncated and left out")
    return found.answers


def asked_profile(options: Options, model: str) -> Profile:
    """The profile to answer by: this model, and all prompts unless a limit was typed."""
    return chosen_profile(
        replace(options, model=model, prompt_limit=options.prompt_limit or "all", holdout=False)
    )


def answer_with_model(
    console: Console, options: Options, model: str
) -> tuple[tuple[Prompt, ...], tuple[Answer, ...], str]:
    """The prompts, the answers made in a run folder of their own, and the name of the prompts."""
    profile = asked_profile(options, model)
    demand_speed(profile)
    if options.run_dir is not None:
        root, _ = choose_folder(options.run_dir, profile, say_on(console), work=EVALUATION)
    else:
        root = new_run_folder(RUNS, f"eval-{Path(profile.model.source).name}", time.time())
    where = RunDir(root).eval_folder(EVALUATED)
    asked: list[Prompt] = []  # filled once they are chosen

    def left() -> Interruption:
        return interrupted_eval(count_answers(where / RESPONSES), len(asked), root)

    with (
        interruption_from(left),
        RunDir(root) as rundir,
        undone_without_answers(rundir, where / RESPONSES),
    ):
        say_on(console)(f"profile {profile.name} ({profile.title}); run folder {root}")
        say_note(find_device(asked_device(options, profile)), say_on(console))
        demand_prompts(profile)
        demand_model(profile)
        store_settings(rundir, profile)
        where.mkdir(parents=True, exist_ok=True)  # from here on it is known what the folder is for
        session = Session(rundir, SubprocessRunner())
        session.view = PlainView(console, session.clock, lambda: session.state)
        setup = open_setup(session, profile, say_on(console), with_data=False)
        if session.state.content is None and setup.content is not None:
            session.emit(setup.content)
        say_low_cap(setup, say_on(console))
        asked += setup.prompts
        scorer = find_scorer(profile.prompts.scorer)
        try:
            # What a scorer lacks shows before the answers are made, not after.
            checked_report(scorer, setup.prompts, echo_answers(setup.prompts))
            answer_and_score(session, setup, scorer, setup.model_folder, where)
        except ModelRefused as error:
            raise BadInput(str(error)) from None
        except EvaluationFailed as error:
            log = where / "worker.log"
            raise EnvironmentFault(
                f"eval: no score ({error})", log=log if log.exists() else None
            ) from None
        return setup.prompts, read_answers(where / RESPONSES), setup.prompts_label
