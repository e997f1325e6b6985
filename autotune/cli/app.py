"""The commands. What a command does is imported when it is called."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from autotune.base.format import either
from autotune.cli import app_setup as app_setup  # its commands: doctor, init, profiles
from autotune.cli.command import app as app
from autotune.cli.command import command
from autotune.cli.first_line import first_line
from autotune.cli.options import Options
from autotune.cli.out_commands import add_out_commands
from autotune.cli.setting import Command
from autotune.cli.target import DEMO_TARGET, DemoTarget, Target, read_target, wanted_target
from autotune.protocol.choices import Attention
from autotune.sources.named import MODELS

Examples = Annotated[
    int, typer.Option("--examples", metavar="N", help="Number of answers of each kind to show.")
]


def show_settings(
    after: Command, options: Options, target: str | None = None, *, aims: bool = False
) -> int:
    """What a command does with `--explain`, and nothing else then."""
    from autotune.cli.explain import explain_command

    return explain_command(options, target, aims=aims, after=after)


@command("inspect")
def inspect(
    options: Options,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="Also token ids; with --json of every sequence.")
    ] = False,
) -> int:
    """Show what the data holds and what each length keeps of it. Needs the tokenizer only."""
    if options.explain:
        return show_settings("inspect", options)
    from autotune.cli.inspect import inspect_command

    return inspect_command(options, tokens)


@command("probe")
def probe(
    options: Options,
    again: Annotated[bool, typer.Option("--again", help="Ignore the cached result.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Estimate without a GPU.")] = False,
    gpu: Annotated[
        str | None,
        typer.Option(
            "--gpu", metavar="PROFILE", help="Profile of the GPU to estimate for; only with --plan."
        ),
    ] = None,
    attention: Annotated[
        str | None,
        typer.Option(
            "--attention", metavar="|".join(Attention), help="Attention kernel; only with --plan."
        ),
    ] = None,
) -> int:
    """Find the longest sequences and most rounds that fit the memory, by real training steps."""
    if options.explain:
        return show_settings("probe", options)
    if plan or gpu is not None or attention is not None:
        from autotune.cli.forecast import forecast_command

        return forecast_command(options, gpu, attention, asked=plan)
    from autotune.cli.run import probe_command

    return probe_command(options, again=again)


@command("run")
def run(
    *,
    target: Target = None,
    options: Options,
    salvage: Annotated[
        bool,
        typer.Option(
            "--salvage", help="Resume from the records before a damaged line in --run-dir."
        ),
    ] = False,
    stages: Annotated[
        str | None,
        typer.Option(
            "--stages",
            metavar="wait|overlap",
            help="With --storage: a card without a trial waits while the strategy before may still"
            " meet the target, or begins the next one.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show its trials, hours, disk and what would stop it; start nothing."
        ),
    ] = False,
    final_eval: Annotated[
        bool,
        typer.Option(
            "--final-eval",
            help="At the end score the best checkpoint, and the model before training, on all"
            " prompts of the source.",
        ),
    ] = False,
) -> int:
    """Probe, train, score and escalate until the target is met. Run again to resume."""
    share = wanted_target(target, options.project)
    from autotune.cli.shared_options import demand_shared_options

    demand_shared_options(options, stages, final_eval)
    if options.explain:
        return show_settings("run", options, target, aims=True)
    if dry_run:
        from autotune.cli.dry_run import dry_run_command

        return dry_run_command(options, share, final_eval=final_eval)
    if options.storage is not None:
        from autotune.cli.shared import shared_run_command

        return shared_run_command(options, share, stages, salvaging=salvage)
    from autotune.cli.run import run_command

    return run_command(options, share, salvaging=salvage, final_eval=final_eval)


@command("synth")
def synth(
    *,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", help=f"Folder, hub id, {either(MODELS)}; default: the profile's."
        ),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="CHECKPOINT|RUN-DIR",
            help="Ask this checkpoint, or the best one of a run, in place of MODEL.",
        ),
    ] = None,
    options: Options,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Also write the chats there, JSONL."),
    ] = None,
) -> int:
    """Make practice data: a model's own answers, amended to follow their prompts, and verified."""
    from autotune.cli.synth import SynthRequest, synth_command

    return synth_command(options, SynthRequest(model, start_from, out))


@command("worker")
def worker(options: Options) -> int:
    """Work at the study of a run --storage, on this card; one on each card of each machine."""
    from autotune.cli.shared import worker_command

    return worker_command(options)


@command("demo")
def demo(
    *,
    toy: Annotated[bool, typer.Option("--toy", help="A toy model: about a minute.")] = False,
    target: DemoTarget = DEMO_TARGET,
    options: Options,
) -> int:
    """The whole path on real SmolLM2 weights, with no GPU and no hub; some ten minutes."""
    from autotune.cli.run import run_command
    from autotune.config.load import DEMO_PROFILE, TOY_PROFILE

    options = replace(options, profile=TOY_PROFILE if toy else DEMO_PROFILE)
    return run_command(options, read_target(target))


@command("eval")
def evaluate(
    *,
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL | compare A B",
            help=f"Folder, hub id, {either(MODELS)}; or two sets of answers: files, runs,"
            " checkpoints.",
        ),
    ] = None,
    responses: Annotated[
        Path | None, typer.Option("--responses", help="Answers made elsewhere, JSONL.")
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline", metavar="FILE|FOLDER", help="Answers before training, to compare with."
        ),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option("--samples", metavar="FILE", help="Write lm-evaluation-harness sample logs."),
    ] = None,
    examples: Examples = 3,
    options: Options,
    target: Annotated[
        str | None, typer.Option("--target", metavar="0..1|25%", help="Exit 0 if met, else 1.")
    ] = None,
) -> int:
    """Score a model, or answers made elsewhere. compare A B: do two really differ?"""
    from autotune.cli.eval import EvalRequest, eval_command

    share = read_target(target)
    wanted = EvalRequest(tuple(targets or ()), responses, baseline, samples, examples, share)
    return eval_command(options, wanted)


@command("eval compare")
def compare(
    *,
    sets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B", help="Two sets of answers to the same prompts: files, runs, checkpoints."
        ),
    ] = None,
    examples: Examples = 3,
    options: Options,
) -> int:
    """Do two sets of answers really differ? Prompt by prompt, with an exact test (McNemar)."""
    from autotune.cli.compare import compare_command

    return compare_command(options, tuple(sets or ()), examples)


@command("report")
def report(
    options: Options,
    run_dir: Annotated[
        Path | None,
        typer.Argument(metavar="RUN-DIR", help="A run's folder; default: the newest in runs/."),
    ] = None,
) -> int:
    """Write a run's report again and print its summary."""
    if run_dir is None or run_dir.is_dir():
        first_line("reading the run's record", as_json=options.as_json)
    from autotune.cli.report import report_command

    return report_command(run_dir, options.as_json)


add_out_commands(command)


@command("watch")
def watch(
    options: Options,
    run_dir: Annotated[
        Path | None,
        typer.Argument(metavar="RUN-DIR", help="A run's folder; default: the newest in runs/."),
    ] = None,
) -> int:
    """Show a run from another terminal, while it works and after. Only looks."""
    from autotune.cli.watch import watch_command

    return watch_command(run_dir, options.as_json)


@command("runs")
def runs(
    options: Options,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder that holds runs.")
    ] = Path("runs"),
) -> int:
    """List the runs of a folder: state, best score, age."""
    from autotune.cli.runs import runs_command

    return runs_command(folder, options.as_json)
