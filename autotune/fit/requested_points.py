"""Where a profile's strategies stand in the retention table, and what follows for the data."""

from dataclasses import dataclass

from autotune.base.format import counted
from autotune.config.profile import Profile
from autotune.data.retention_notes import cut_note, lost_note, retention_notes
from autotune.data.retention_table import Point
from autotune.data.survey import Retention, Survey
from autotune.protocol.data_notes import DataNote
from autotune.protocol.plan import Rounds, Strategy


@dataclass(frozen=True, slots=True)
class RequestedPoint:
    """Where a strategy of the profile stands in the retention table.

    `length` is the most that it can come to where it takes what fits (`as_fits`).
    """

    name: str
    length: int
    rounds: Rounds
    as_fits: bool
    kept: Retention


def profile_notes(
    profile: Profile, requests: tuple[RequestedPoint, ...], survey: Survey, *, searched: bool
) -> tuple[DataNote, ...]:
    """What to say of the data that follows from the profile, and not from the data alone."""
    notes = [
        note
        for strategy, requested in zip(profile.strategies, requests, strict=True)
        if not strategy.fallback
        for note in (
            *retention_notes(
                requested.name,
                requested.length,
                requested.rounds,
                requested.kept.supervised_share,
                requested.kept.conversations,
                strategy.batch_size,
            ),
            lost_note(requested.name, requested.length, requested.rounds, survey),
            cut_note(requested.name, requested.length, requested.rounds, survey),
        )
        if note is not None
    ]
    notes += used_notes(profile, len(survey.file.conversations))
    if not searched:
        what = (
            f"scored prompts were not looked for: {profile.prompts.source} is not on this machine"
            " yet; probe and run fetch it"
            + (", and leave out those that hold one" if profile.data.drop_scored_prompts else "")
        )
        notes.append(DataNote(what=what, count=0))
    return tuple(notes)


def used_notes(profile: Profile, there: int) -> list[DataNote]:
    """That a run, or a strategy with its own limit, uses fewer conversations than there are."""
    limits = {s.name: s.max_conversations for s in profile.strategies if s.max_conversations}
    used = {f"strategy {name}": (most, "its max_conversations") for name, most in limits.items()}
    most = profile.train.max_conversations
    if most is not None and len(limits) < len(profile.strategies):
        used = {"a run": (most, "max_conversations of the profile"), **used}
    return [
        DataNote(what=f"{who} uses {most} of {counted(there, 'conversation')} ({by})", count=0)
        for who, (most, by) in used.items()
        if most < there
    ]


def requested_point(strategy: Strategy, profile: Profile, positions: int, survey: Survey) -> Point:
    """Where a strategy stands: at its own length and rounds, or at the most of the probe."""
    longest = min(profile.probe.max_length, positions)
    wanted = strategy.model_max_length
    length = longest if wanted == "fits" else min(wanted, positions)
    rounds = strategy.max_rounds
    if rounds == "fits":
        rounds = survey.whole_rounds(longest, profile.probe.max_rounds)
    return length, rounds
