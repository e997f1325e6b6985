"""Which scored prompts are looked for in the data of a profile, and whether their rows stay."""

from pathlib import Path

from autotune.profile import Profile

DEMO = "demo"
"""The source of the data and of the prompts that come with the tool."""


def held_apart(profile: Profile) -> bool:
    """Whether no prompt can stand in the data: the demo's topics are shared out between the two."""
    return profile.data.source == profile.prompts.source == DEMO


def dropped_prompts(profile: Profile, prompts: Path) -> str | None:
    """The prompts whose rows the profile leaves out of the data."""
    return str(prompts) if profile.data.drop_scored_prompts else None
