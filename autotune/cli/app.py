"""The commands and their options. What a command does is imported when it is called."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from autotune.cli.options import Options
from autotune.cli.parameters import (
    Data,
    DeviceOption,
    Format,
    Full,
    Holdout,
    Json,
    Length,
    MaxConversations,
    MaxNewTokens,
    MaxRounds,
    Model,
    PrecisionOption,
    Profile,
    PromptLimit,
    Prompts,
    RunFolder,
    ScorerOption,
    Seed,
    SkipBad,
    SupervisionOption,
    Target,
    ThinkOption,
    TruncationOption,
    VramBudget,
    read_target,
)

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
        typer.echo(f"smolsft-autotune {version('smolsft-autotune')}")
        raise typer.Exit


@app.command()
def inspect(
    profile: Profile = None,
    model: Model = None,
    data: Data = None,
    format: Format = None,
    prompts: Prompts = None,
    model_max_length: Length = None,
    max_rounds: MaxRounds = None,
    max_conversations: MaxConversations = None,
    supervision: SupervisionOption = None,
    truncation: TruncationOption = None,
    skip_bad: SkipBad = None,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="Also token ids; with --json of every sequence.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Show what the data holds and what each length keeps of it. Needs the tokenizer only."""
    from autotune.cli.inspect import inspect_command

    return inspect_command(Options.of(locals()), tokens, as_json)


@app.command()
def probe(
    profile: Profile = None,
    model: Model = None,
    data: Data = None,
    format: Format = None,
    prompts: Prompts = None,
    prompt_limit: PromptLimit = None,
    scorer: ScorerOption = None,
    max_new_tokens: MaxNewTokens = None,
    model_max_length: Length = None,
    max_rounds: MaxRounds = None,
    max_conversations: MaxConversations = None,
    supervision: SupervisionOption = None,
    truncation: TruncationOption = None,
    skip_bad: SkipBad = None,
    vram_budget: VramBudget = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
    seed: Seed = None,
    run_dir: RunFolder = None,
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
            "--attention", metavar="fused|math", help="Attention kernel; only with --plan."
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Find the longest sequences and most rounds that fit the memory, by real training steps."""
    if plan or gpu is not None or attention is not None:
        from autotune.cli.forecast import plan_command

        return plan_command(Options.of(locals()), gpu, attention, as_json, asked=plan)
    from autotune.cli.run import probe_command

    return probe_command(Options.of(locals()), as_json, again=again)


@app.command()
def run(
    target: Target = "0.25",
    profile: Profile = None,
    model: Model = None,
    data: Data = None,
    format: Format = None,
    prompts: Prompts = None,
    prompt_limit: PromptLimit = None,
    scorer: ScorerOption = None,
    max_new_tokens: MaxNewTokens = None,
    holdout: Holdout = None,
    full: Full = None,
    think: ThinkOption = None,
    model_max_length: Length = None,
    max_rounds: MaxRounds = None,
    max_conversations: MaxConversations = None,
    supervision: SupervisionOption = None,
    truncation: TruncationOption = None,
    skip_bad: SkipBad = None,
    vram_budget: VramBudget = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
    seed: Seed = None,
    run_dir: RunFolder = None,
    salvage: Annotated[
        bool,
        typer.Option(
            "--salvage", help="Resume from the records before a damaged line in --run-dir."
        ),
    ] = False,
    as_json: Json = False,
) -> int:
    """Probe, train, score and escalate until the target is met. Run again to resume."""
    from autotune.cli.run import run_command

    return run_command(Options.of(locals()), read_target(target), as_json, salvaging=salvage)


@app.command()
def demo(
    toy: Annotated[bool, typer.Option("--toy", help="A toy model: about a minute.")] = False,
    target: Target = "0.25",
    run_dir: RunFolder = None,
    as_json: Json = False,
) -> int:
    """The whole path on real SmolLM2 weights and real IFEval prompts, with no GPU and no hub."""
    from autotune.cli.run import run_command

    sources: dict[str, Any] = {"model": "demo", "data": "demo", "prompts": "ifeval"}
    options = {"profile": "cpu-smoke"} if toy else {"profile": "cpu-smollm2", **sources}
    return run_command(Options.of({**options, "run_dir": run_dir}), read_target(target), as_json)


@app.command(name="eval")
def evaluate(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL | compare A B",
            help="Folder, hub id, demo or toy; or two sets of answers: files, runs, checkpoints.",
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
    profile: Profile = None,
    prompts: Prompts = None,
    prompt_limit: PromptLimit = None,
    scorer: ScorerOption = None,
    max_new_tokens: MaxNewTokens = None,
    think: ThinkOption = None,
    vram_budget: VramBudget = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
    run_dir: RunFolder = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="0..1|25%", help="Exit 0 if met, else 1.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Score a model, or answers made elsewhere. compare A B: do two really differ?"""
    from autotune.cli.eval import Wanted, eval_command

    options = Options.of(locals())
    share = read_target(target)
    wanted = Wanted(tuple(targets or ()), responses, baseline, samples, examples, share)
    return eval_command(options, wanted, as_json)


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN-DIR", help="A run's folder.")],
    as_json: Json = False,
) -> int:
    """Write a run's report again and print its summary."""
    from autotune.cli.run import report_command

    return report_command(run_dir, as_json)


@profiles_app.command(name="list")
def profiles_list(as_json: Json = False) -> int:
    """Names and titles."""
    from autotune.cli.profiles import list_command

    return list_command(as_json)


@profiles_app.command(name="show")
def profiles_show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE")], as_json: Json = False
) -> int:
    """One profile as it is on disk."""
    from autotune.cli.profiles import show_command

    return show_command(name, as_json)
