"""`probe --plan`: what would fit on a card that need not be there, predicted without one."""

from contextlib import AbstractContextManager
from typing import Any

from autotune.base.errors import BadInput, ExitCode
from autotune.base.format import either
from autotune.base.near import did_you_mean
from autotune.base.scratch import scratch_folder
from autotune.cli.console import at_work, human_console, outgrows, print_json, say_on
from autotune.cli.device import budget_giver, named_profile
from autotune.cli.next_command import next_command
from autotune.cli.options import Options
from autotune.cli.run_folder import interruption_from
from autotune.cli.unused_data import demand_used_data
from autotune.config.load import GPU_PROFILE, find_profile
from autotune.config.profile import Profile
from autotune.fit.forecast import Forecast, Planned, forecast
from autotune.fit.planned_card import PlannedCard
from autotune.fit.planned_hours import PlannedHours, PlannedTime, planned_hours
from autotune.fit.search import length_grid
from autotune.launch import SubprocessRunner
from autotune.protocol.choices import LENGTH_GRID, Attention
from autotune.screen.encodable import Encodable
from autotune.screen.forecast import forecast_details, forecast_summary
from autotune.sources.architecture import resolve_architecture
from autotune.sources.positions import demand_positions, positions_of
from autotune.text.interruption import interrupted_look


def forecast_command(
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
    profile = options.adjust(find_profile(named_profile(options) or gpu or GPU_PROFILE))
    demand_used_data(options, profile)
    card = card_of(options, gpu, profile)
    model = resolve_architecture(profile.model.source, say)
    positions = positions_of(model.folder)
    demand_positions(options.model_max_length, model.label, positions)

    def tracing() -> AbstractContextManager[object]:
        say(
            f"tracing steps of {model.label} on tensors without data, once: about"
            f" {TRACING_SECONDS} s of a processor, on a busy computer several times that"
        )
        return at_work(console, "tracing")

    say(f"planning {model.label} on {card.name}: no card is used")
    with interruption_from(interrupted_look), scratch_folder("plan") as work:
        found = forecast(
            SubprocessRunner(),
            work / "predict",
            model.folder,
            card,
            lengths=lengths(profile, positions),
            strategies=profile.strategies,
            attention=kernel,
            tracing=tracing,
        )
    hours = planned_hours(profile, found)
    answer = Encodable(forecast_summary(found, model.label, hours))
    details = Encodable(forecast_details(found))
    # The answer is what stays on the screen: last where all of it is more than the screen holds.
    last = outgrows(console, answer, details)
    if last:
        console.print(details)
    console.print(answer)
    if found.model_max_length is not None:
        say(f"next: measure on the computer with that card: {next_command('probe', options)}")
    if not last:
        console.print(details)
    if options.as_json:
        print_json(forecast_json(found, model.label, hours))
    return ExitCode.DONE if found.model_max_length is not None else ExitCode.NOTHING_FITS


TRACING_SECONDS = 15
"""Of a processor: libraries are loaded in 6 of them, and steps traced in the rest."""


def card_of(options: Options, gpu: str | None, profile: Profile) -> PlannedCard:
    """The card that `--gpu` names; else that of the profile where it is one for a card.

    Raises:
        BadInput: a profile does not say what may be used of its card.
    """
    if gpu is None and profile.machine.memory is not None:
        return PlannedCard.of(profile, budget_giver(options, profile.name))
    card = options.adjust(find_profile(gpu or GPU_PROFILE))
    return PlannedCard.of(card, budget_giver(options, card.name))


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
            f" uses unless its torch has no fused kernel{did_you_mean(text or '', Attention)}"
        ) from error


def lengths(profile: Profile, positions: int) -> list[int]:
    """The grid of lengths within the profile's bounds and the model's positions."""
    longest = max(
        LENGTH_GRID, min(profile.probe.max_length, positions) // LENGTH_GRID * LENGTH_GRID
    )
    return length_grid(min(profile.probe.min_length, longest), longest, LENGTH_GRID)


def forecast_json(found: Forecast, model: str, hours: PlannedHours | None) -> dict[str, Any]:
    """`probe --plan --json`: the keys of `probe --json` where they mean the same, and the table."""
    length = found.model_max_length
    return {
        "estimate": True,
        "gpu": found.card.name,
        "model": model,
        "budget_bytes": found.card.budget.limit_bytes,
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
        "hours": None if hours is None else {t.strategy: hours_json(t) for t in hours.times},
        "seconds": found.prediction.seconds,
    }


def hours_json(time: PlannedTime) -> dict[str, float]:
    """What a strategy would take, in hours: estimates, of scoring the most."""
    return {
        "training": round(time.training_seconds / 3600, 2),
        "scoring_at_most": round(time.scoring_seconds / 3600, 2),
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
