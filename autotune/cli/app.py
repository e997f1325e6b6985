"""The commands. What a command does is imported when it is called."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from autotune.base.format import either
from autotune.cli.options import Options
from autotune.cli.parameters import with_options
from autotune.cli.setting import Command
from autotune.cli.target import Target, read_target, wanted_target
from autotune.protocol.choices import Attention
from autotune.sources.named import DEMO, MODELS

app = typer.Typer(
    name="smolsft-autotune",
    help="Find what fits your GPU, fine-tune a small chat model on it, and score it honestly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
profiles_app = typer.Typer(help="The profiles that come with the tool.", no_args_is_help=True)
app.add_typer(profiles_app, name="profiles")


@app.callback(invoke_without_command=True)
def common(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Options before a command."""
    if show_version:
        from importlib.metadata import version  # takes as long to load as all of typer

        typer.echo(f"smolsft-autotune {version('smolsft-autotune')}")
        raise typer.Exit


def command(name: Command) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make a function a command, with the options that are declared for it (`with_options`)."""
    group, _, last = name.rpartition(" ")
    owner = profiles_app if group else app
    return lambda function: owner.command(last)(with_options(name, function))


def show_settings(options: Options, target: str | None = None, *, aims: bool = False) -> int:
    """What a command does with `--explain`, and nothing else then."""
    from autotune.cli.explain import explain_command

    return explain_command(options, target, aims=aims)


@command("doctor")
def doctor(options: Options) -> int:
    """Look at this machine: torch, card, memory, disk, hub, scorer; what mends what is amiss."""
    from autotune.cli.doctor import doctor_command

    return doctor_command(options)


@command("inspect")
def inspect(
    options: Options,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="Also token ids; with --json of every sequence.")
    ] = False,
) -> int:
    """Show what the data holds and what each length keeps of it. Needs the tokenizer only."""
    if options.explain:
        return show_settings(options)
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
        return show_settings(options)
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
) -> int:
    """Probe, train, score and escalate until the target is met. Run again to resume."""
    share = wanted_target(target, options.project)
    from autotune.cli.shared_options import demand_shared_options

    demand_shared_options(options, stages)
    if options.explain:
        return show_settings(options, target, aims=True)
    if dry_run:
        from autotune.cli.dry_run import dry_run_command

        return dry_run_command(options, share)
    if options.storage is not None:
        from autotune.cli.shared import shared_run_command

        return shared_run_command(options, share, stages, salvaging=salvage)
    from autotune.cli.run import run_command

    return run_command(options, share, salvaging=salvage)


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
    target: Target = None,
    options: Options,
) -> int:
    """The whole path on real SmolLM2 weights and real IFEval prompts, with no GPU and no hub."""
    from autotune.cli.run import run_command

    if toy:
        options = replace(options, profile="cpu-smoke")
    else:
        options = replace(options, profile="cpu-smollm2", model=DEMO, data=DEMO)
    return run_command(options, wanted_target(target))


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
    examples: Annotated[
        int, typer.Option("--examples", metavar="N", help="Number of answers of each kind to show.")
    ] = 3,
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


@command("report")
def report(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN-DIR", help="A run's folder.")],
    options: Options,
) -> int:
    """Write a run's report again and print its summary."""
    from autotune.cli.report import report_command

    return report_command(run_dir, options.as_json)


@command("profiles list")
def profiles_list(options: Options) -> int:
    """Names and titles."""
    from autotune.cli.profiles import list_command

    return list_command(options.as_json)


@command("profiles show")
def profiles_show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE")], options: Options
) -> int:
    """One profile as it is on disk."""
    from autotune.cli.profiles import show_command

    return show_command(name, options.as_json)
