"""`eval`: the score of a model, or of answers that were made elsewhere."""

import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.folder import RUNS, choose_folder, store_settings
from autotune.cli.options import Options
from autotune.cli.work import chosen_profile
from autotune.errors import BadInput, EnvironmentFault, ExitCode
from autotune.evaluate.answers import read_answers
from autotune.evaluate.health import broken_limits, echo_answers
from autotune.evaluate.ifeval import IFEval
from autotune.evaluate.prompts import Prompt, read_prompts, subset
from autotune.figures import health_text, percent, score_text
from autotune.outcome import EvalReport, HealthLimits
from autotune.profile import Profile
from autotune.rundir import RunDir, new_run_folder
from autotune.scoring import EvaluationFailed, answer_and_score
from autotune.session import Session
from autotune.setup import open_setup
from autotune.sources.prompts import resolve_prompts
from autotune.study import meets
from autotune.trials import SubprocessRunner
from autotune.view.encodable import Encodable
from autotune.view.plain import PlainView


def eval_command(
    options: Options, model: str | None, responses: Path | None, target: float | None, as_json: bool
) -> int:
    """`eval`; with a target, exit 0 if it is met by healthy answers, else 1."""
    if (model is None) == (responses is None):
        raise BadInput("eval: give a model or --responses FILE, one of the two")
    if target is not None and not 0 < target <= 1:
        raise BadInput(f"--target {target}: must be above 0 and at most 1, such as 0.25")
    console = human_console(as_json)
    profile = chosen_profile(options)
    if responses is not None:
        prompts = chosen_prompts(console, options, profile)
        report = score_file(prompts, responses)
    else:
        prompts, report = score_model(console, options, model)
    limits = profile.evaluate.health
    unhealthy = broken_limits(report.health, limits)
    echo = IFEval().score(prompts, echo_answers(prompts))
    show(console, report, echo, unhealthy)
    met = meets(report.prompt_strict, unhealthy, target) if target is not None else None
    if as_json:
        print_json(as_tree(report, echo, unhealthy, limits, met))
    elif target is not None:
        say_on(console)(f"target {percent(target)} {'met' if met else 'not met'}")
    return ExitCode.DONE if met is None or met else ExitCode.BELOW_TARGET


def chosen_prompts(console: Console, options: Options, profile: Profile) -> tuple[Prompt, ...]:
    """The prompts to score on; all of a file unless a limit was typed."""
    source = resolve_prompts(options.prompts or profile.prompts.source, say_on(console))
    prompts = read_prompts(source.path)
    if options.prompt_limit is None or profile.prompts.limit == "all":
        return prompts
    return subset(prompts, profile.prompts.limit, profile.prompts.seed)


def score_file(prompts: tuple[Prompt, ...], responses: Path) -> EvalReport:
    """The score of answers in a file."""
    if not responses.is_file():
        raise BadInput(f"--responses {responses}: no such file; give a .jsonl file of answers")
    return IFEval().score(prompts, read_answers(responses))


def score_model(
    console: Console, options: Options, model: str | None
) -> tuple[tuple[Prompt, ...], EvalReport]:
    """Answer the prompts with a model in a run folder of its own, and score the answers."""
    from dataclasses import replace

    profile = chosen_profile(
        replace(options, model=model, prompt_limit=options.prompt_limit or "all")
    )
    if options.run_dir is not None:
        root, _ = choose_folder(options.run_dir, profile)
    else:
        root = new_run_folder(RUNS, f"eval-{Path(profile.model.source).name}", time.time())
    say_on(console)(f"profile {profile.name} ({profile.title}); run folder {root}")
    with RunDir(root) as rundir:
        store_settings(rundir, profile)
        session = Session(rundir, SubprocessRunner())
        session.view = PlainView(console, session.clock, lambda: session.state)
        setup = open_setup(session, profile, say_on(console), with_data=False)
        try:
            report = answer_and_score(session, setup, IFEval(), setup.model_folder, "model")
        except EvaluationFailed as error:
            raise EnvironmentFault(
                f"eval: no score ({error}); the worker's output is in"
                f" {rundir.eval_folder('model') / 'worker.log'}"
            ) from None
    return setup.prompts, report


def show(
    console: Console, report: EvalReport, echo: EvalReport, unhealthy: tuple[str, ...]
) -> None:
    """The score with what it needs to be read: n, interval, health, and the echo's score."""
    say = say_on(console)
    say(f"prompt strict       {score_text(report.prompt_strict, report.interval)}")
    say(f"instruction strict  {score_text(report.instruction_strict, None)}")
    say(f"prompt loose        {score_text(report.prompt_loose, None)}")
    say(f"instruction loose   {score_text(report.instruction_loose, None)}")
    say(f"health              {health_text(report.health)}")
    say(f"echo baseline       {score_text(echo.prompt_strict, None)} for repeating the prompt")
    for sentence in unhealthy:
        say(f"not healthy: {sentence}")
    if report.unmatched:
        keys = ", ".join(map(str, report.unmatched[:10]))
        more = f" and {len(report.unmatched) - 10} more" if len(report.unmatched) > 10 else ""
        say(f"no answer for prompt {keys}{more}: counted as failed")
    table = Table("instruction", "passes", "of", title="by instruction type, strict")
    for name, metric in sorted(report.by_type.items()):
        table.add_row(name, str(metric.passes), str(metric.total))
    console.print(Encodable(table))


def as_tree(
    report: EvalReport,
    echo: EvalReport,
    unhealthy: tuple[str, ...],
    limits: HealthLimits,
    met: bool | None,
) -> dict[str, Any]:
    """The object of `--json`."""
    tree: dict[str, Any] = json.loads(report.model_dump_json(exclude={"verdicts"}))
    tree["unmatched"] = list(report.unmatched)
    tree["unhealthy"] = list(unhealthy)
    tree["health_limits"] = limits.model_dump()
    tree["baselines"] = {"echo": echo.prompt_strict.model_dump()}
    if met is not None:
        tree["met"] = met
    return tree
