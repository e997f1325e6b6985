"""The device that a command computes on, and whether a run may begin or go on there."""

from contextlib import suppress
from pathlib import Path

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.base.format import counted
from autotune.cli.options import Options
from autotune.cli.run_folder import resumable_run
from autotune.config.load import CPU_PROFILE, GPU_PROFILE, card_profiles, find_profile, pick_profile
from autotune.config.profile import Profile
from autotune.config.project import PROJECT_FILE
from autotune.data.assumed import CONVERSATIONS
from autotune.device.find import Device, find_device
from autotune.device.kinds import KINDS
from autotune.device.torch_build import installed_build
from autotune.protocol.events import RunStarted
from autotune.run.card_check import demand_build
from autotune.run.folder import RunDir
from autotune.run.record_cache import RecordCache
from autotune.run.setup import Say, resolve_precision
from autotune.train.without_card import SIXTEEN_BITS, slows, training_hours


def chosen_profile(options: Options, *, computes: bool = True) -> Profile:
    """The profile that was named or that suits the machine, with the options put in.

    A command that `computes` nothing needs no device, so a card that does not answer is not in its
    way: it takes the profile for that card.
    """
    return options.adjust(
        find_profile(named_profile(options) or suitable(options, computes=computes))
    )


def named_profile(options: Options) -> str | None:
    """The profile that was typed, else that of `smolsft.toml`; None leaves it to the machine."""
    named = None if options.project is None else options.project.profile
    return options.profile or named


def named_device(options: Options) -> str | None:
    """The device that was typed, else that of `smolsft.toml`; None leaves it to the profile."""
    named = None if options.project is None else options.project.value("machine", "device")
    return options.device or (named if isinstance(named, str) else None)


def budget_giver(options: Options, profile: str) -> str:
    """What names the memory budget of this profile, as `--explain` says it."""
    if options.assigns("machine.budget"):
        return "--set"
    if options.vram_budget is not None:
        return "--vram-budget"
    named = None if options.project is None else options.project.value("machine", "budget")
    return f"profile {profile}" if named is None else PROJECT_FILE


def suitable(options: Options, *, computes: bool) -> str:
    """The name of the profile for this machine."""
    try:
        return pick_profile(find_device(named_device(options) or "auto"))
    except EnvironmentFault:
        if computes:
            raise
        return GPU_PROFILE


def demand_device(
    options: Options, profile: Profile, record_cache: RecordCache | None = None
) -> Device:
    """The device, where a run with this profile may begin or go on with it.

    Raises:
        BadInput, EnvironmentFault: there is no such device, or torch was built without CUDA; a run
            that began on a card would go on on the CPU; a profile for a card would be used on a CPU
            that nobody asked for.
    """
    choice = asked_device(options, profile)
    if choice == "cpu":
        return find_device("cpu")
    begun = begun_on_card(options, profile, record_cache)
    try:
        device = find_device(choice)
    except EnvironmentFault as fault:
        if begun is None:
            raise
        raise EnvironmentFault(f"{_began(*begun)}; {fault}") from fault
    if device.traits.is_card:
        demand_build(device, installed_build())  # at once: the rest of the check takes seconds
        return device
    if begun is not None:
        raise EnvironmentFault(
            f"{_began(*begun)} and does not continue on a CPU: {device.note}; mend that and run the"
            " same command again, or start another run with --run-dir and --device cpu"
        )
    if needs_card(profile):
        raise EnvironmentFault(too_slow(profile, device))
    return device


def demand_speed(profile: Profile) -> None:
    """Refuse to answer prompts on a CPU by a profile for a card whose precision a CPU lacks.

    Raises:
        BadInput, EnvironmentFault: that, or there is no such device.
    """
    if not needs_card(profile):
        return
    device = find_device(profile.machine.device)
    precision = resolve_precision(profile, device)
    if not device.traits.any_precision and slows(device, precision):
        raise EnvironmentFault(
            f"{_cardless(profile, device)}: a CPU answers some {SIXTEEN_BITS:.0f} times slower in"
            f" {precision.value} than in fp32 (an estimate); take --profile {CPU_PROFILE} or"
            " --precision fp32, or add --device cpu to continue all the same"
        )


def needs_card(profile: Profile) -> bool:
    """Whether a profile is for a card, and nobody named a device to use in its place."""
    return profile.machine.device == "auto" and profile.machine.memory is not None


def asked_device(options: Options, profile: Profile) -> str:
    """What `--device` asks for, by itself or in a profile that was named.

    A profile that nobody named was picked by what is here: that is what is looked at again, for the
    profile for a CPU does not know why there is no card.
    """
    named = named_profile(options) or options.assigns("machine.device")
    return profile.machine.device if named else named_device(options) or "auto"


def say_note(device: Device, say: Say) -> None:
    """Say why it is a CPU that computes, or which of a card's figures are not believed."""
    if device.note:
        say(f"computing on {device.name}: {device.note}")


def begun_on_card(
    options: Options, profile: Profile, record_cache: RecordCache | None = None
) -> tuple[Path, str] | None:
    """The run that this command would go on with, and the card that it began on.

    Without a name it is the newest unfinished one of the same settings. Where the CPU is what is
    left of the machine, the settings are those for the card: its profile would have been picked.
    """
    folder = options.run_dir
    if folder is None:
        profiles = [profile]
        if named_profile(options) is None and named_device(options) is None:
            profiles += for_cards(options)
        folder = resumable_run(profiles, record_cache=record_cache)
    if folder is None:
        return None
    found = RunDir(folder).record.of_kind("run_started")
    started = [r.event for r in found if isinstance(r.event, RunStarted)]
    cards = [e.device for e in started if e.device_kind and KINDS[e.device_kind].is_card]
    return (folder, cards[-1]) if cards else None


def for_cards(options: Options) -> list[Profile]:
    """The profiles for cards with the options put in.

    One whose rules the options break is left out: no run was begun with it like that.
    """
    found = []
    for name in card_profiles():
        with suppress(BadInput):
            found.append(options.adjust(find_profile(name)))
    return found


def too_slow(profile: Profile, device: Device) -> str:
    """What it means to use a profile for a card without one."""
    precision = resolve_precision(profile, device)
    hours = training_hours(profile, device, precision)
    count = profile.train.max_conversations or CONVERSATIONS
    return (
        f"{_cardless(profile, device)}: strategy {profile.strategies[0].name} with"
        f" {counted(count, 'conversation')} would train for some {_rounded(hours)} hours in"
        f" {precision.value} on this CPU (an estimate); take --profile {CPU_PROFILE}, or add"
        " --device cpu to continue all the same"
    )


def _cardless(profile: Profile, device: Device) -> str:
    return f"profile {profile.name} is for an NVIDIA card, and there is none ({device.note})"


def _rounded(hours: float) -> str:
    """Two digits: more of an estimate would be made up."""
    return f"{float(f'{hours:.2g}'):.0f}" if hours >= 10 else f"{hours:.1g}"


def _began(folder: Path, card: str) -> str:
    return f"the run in {folder} began on {card}"
