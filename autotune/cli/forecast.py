"""`probe --plan`: what would fit on a card that need not be there, predicted in seconds."""

from pathlib import Path
from typing import Any

from autotune.base.errors import BadInput, ExitCode
from autotune.base.format import either
from autotune.base.scratch import scratch_folder
from autotune.base.sizes import Budget, parse_size
from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.options import Options
from autotune.cli.run_folder import telling
from autotune.config.load import GPU_PROFILE, find_profile
from autotune.config.profile import Profile
from autotune.device.kinds import KINDS, PLANNED
from autotune.fit.forecast import Forecast, Planned, forecast
from autotune.fit.search import length_grid
from autotune.launch import SubprocessRunner
from autotune.launch.endings import worker_error
from autotune.protocol.job import PrepareJob, on_the_computer
from autotune.protocol.plan import LENGTH_GRID, Precision
from autotune.protocol.prediction import Attention, Capability
from autotune.run.setup import SILENCE_SECONDS
from autotune.screen.encodable import Encodable
from autotune.screen.forecast import plan_summary
from autotune.sources.architecture import resolve_architecture
from autotune.sources.model import ModelSource
from autotune.sources.positions import demand_positions, positions_of
from autotune.text.interruption import interrupted_look


def plan_command(
    options: Options,
    gpu: str | None,
    attention: str | None,
    *,
    asked: bool = True,
) -> int:
    """`probe --plan [--gpu PROFILE]`; the card's profile is also the default of `--profile`.

    `attention` is what is assumed to compute attention there; fused where it was not said.
    """
    if not asked:
        option = f"--gpu {gpu}" if gpu else f"--attention {attention}"
        raise BadInput(f"{option}: only with --plan; add that, or leave this out")
    kernel = attention_of(attention)
    console = human_console(options.as_json)
    say = say_on(console)
    name = gpu or GPU_PROFILE
    card = options.adjust(find_profile(name))
    profile = options.adjust(find_profile(options.profile or name))
    budget = card_budget(card)
    model = resolve_architecture(profile.model.source, say)
    with telling(interrupted_look), scratch_folder("plan") as work:
        runner = SubprocessRunner()
        say(f"predicting {model.label} on {card.name}: no card is used, this takes some seconds")
        prepare(runner, model, work)
        positions = positions_of(model.folder)
        demand_positions(options.model_max_length, model.label, positions)
        found = forecast(
            runner,
            work / "predict",
            model.folder,
            precision=card_precision(card),
            budget_bytes=budget.limit_bytes,
            lengths=lengths(profile, positions),
            strategies=profile.strategies,
            attention=kernel,
            capability=card_capability(card),
        )
    console.print(
        Encodable(plan_summary(found, f"{card.name} ({card.title})", model.label, budget))
    )
    if options.as_json:
        print_json(plan_json(found, card.name, model.label))
    return ExitCode.DONE if found.model_max_length is not None else ExitCode.NOTHING_FITS


def card_budget(card: Profile) -> Budget:
    """What may be used of a card that is not there: the profile's budget, or its memory's rest.

    Raises:
        BadInput: the profile is for a CPU, or says neither.
    """
    machine = card.machine
    if machine.device == "cpu" and machine.memory is None:
        raise BadInput(
            f"--gpu {card.name}: is a profile for a CPU; a plan is for a card, such as --gpu"
            f" {GPU_PROFILE}"
        )
    if machine.budget != "auto":
        size = parse_size(machine.budget)
        if machine.memory is not None and size > parse_size(machine.memory):
            raise BadInput(
                f"memory budget {machine.budget}: the card of {card.name} has {machine.memory};"
                " give at most that, or another card with --gpu"
            )
        return Budget(total_bytes=size, reserve_bytes=0, source="as given")
    if machine.memory is None:
        raise BadInput(
            f"--gpu {card.name}: the profile does not say what memory the card has; add memory ="
            ' "8GiB" under [machine], or give --vram-budget'
        )
    total, reserve = parse_size(machine.memory), parse_size(machine.reserve)
    if total <= reserve:
        raise BadInput(
            f"--gpu {card.name}: a reserve of {machine.reserve} leaves nothing of"
            f" {machine.memory}; lower it"
        )
    return Budget(
        total_bytes=total, reserve_bytes=reserve, source=f"an empty {machine.memory} card"
    )


def attention_of(text: str | None) -> Attention:
    """What is assumed to compute attention.

    Raises:
        BadInput: neither of the two.
    """
    try:
        return Attention(text.lower() if text else Attention.FUSED)
    except ValueError as error:
        raise BadInput(
            f"--attention {text}: must be {either(Attention)}; {Attention.FUSED} is what a card"
            " uses unless its torch has no fused kernel"
        ) from error


def card_capability(card: Profile) -> Capability | None:
    """The capability of that card, where its profile says it."""
    text = card.machine.capability
    if text is None:
        return None
    major, minor = text.split(".")
    return int(major), int(minor)


def card_precision(card: Profile) -> Precision:
    """The precision of a step on that card, where whether it has bf16 is not known."""
    wanted = card.machine.precision
    return KINDS[PLANNED].precision if wanted == "auto" else wanted


def lengths(profile: Profile, positions: int) -> list[int]:
    """The grid of lengths within the profile's bounds and the model's positions."""
    longest = max(
        LENGTH_GRID, min(profile.probe.max_length, positions) // LENGTH_GRID * LENGTH_GRID
    )
    return length_grid(min(profile.probe.min_length, longest), longest, LENGTH_GRID)


def prepare(runner: SubprocessRunner, model: ModelSource, work: Path) -> None:
    """Build the model's folder where it comes from a GGUF file or a seed and is not there yet."""
    if model.kind == "folder" or model.is_prepared:
        return
    job = PrepareJob(
        device=on_the_computer(),
        source=model.kind,
        gguf=str(model.gguf) if model.gguf else None,
        out=str(model.folder),
    )
    folder = work / "prepare"
    result = runner.run(job, folder, lambda _: None, silence_seconds=SILENCE_SECONDS)
    if result.failure is not None:
        raise worker_error(result, f"model {model.label}", folder)


def plan_json(found: Forecast, card: str, model: str) -> dict[str, Any]:
    """`probe --plan --json`: the keys of `probe --json` where they mean the same, and the table."""
    length = found.model_max_length
    return {
        "estimate": True,
        "gpu": card,
        "model": model,
        "budget_bytes": found.budget_bytes,
        "context_bytes": found.allowance.context_bytes,
        "allocator_slack": found.allowance.slack,
        "attention": found.prediction.attention.value,
        "parameters": found.prediction.parameters,
        "model_max_length": length,
        "micro_batch_tokens": length * found.rows if length else None,
        "gradient_checkpointing": True,
        "points": [point_json(planned) for planned in found.table],
        "strategies": {
            s.name: {
                "fits": s.fits,
                "model_max_length": s.model_max_length,
                "rows": s.rows,
                "rows_checkpointing": s.rows_checkpointing,
            }
            for s in found.strategies
        },
        "seconds": found.prediction.seconds,
    }


def point_json(planned: Planned) -> dict[str, Any]:
    """A line of the table on one level."""
    tree: dict[str, Any] = planned.peak.model_dump(mode="json")
    point = tree.pop("point")
    return {
        **point,
        **tree,
        "peak_bytes": planned.peak.peak_bytes,
        "needed_bytes": planned.needed_bytes,
        "fits": planned.fits,
    }
