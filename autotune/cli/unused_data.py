"""`--data` that no strategy of the profile trains on: nothing that was typed is left out silently.

Only what was typed counts: a profile, or a `smolsft.toml` for several of them, may name data that
its strategies do without.
"""

from autotune.base.errors import BadInput
from autotune.base.format import quoted
from autotune.cli.options import Options
from autotune.config.own_data import PRACTICE_LABEL, is_trained_on, trained_on
from autotune.config.profile import Profile
from autotune.protocol.choices import SYNTH


def unused_data(options: Options, profile: Profile) -> str | None:
    """That nothing trains on the `--data` that was typed, and on what instead; None where one does.

    `profile` is the one with what was typed in place.
    """
    if options.data is None or is_trained_on(profile):
        return None
    by_data: dict[str, list[str]] = {}
    for strategy in trained_on(profile):
        label = PRACTICE_LABEL if strategy.data == SYNTH else str(strategy.data)
        by_data.setdefault(label, []).append(strategy.name)
    instead = "; ".join(f"{', '.join(names)}: {label}" for label, names in by_data.items())
    return f"--data {options.data}: no strategy of profile {profile.name} trains on it ({instead})"


def demand_used_data(options: Options, profile: Profile) -> None:
    """Refuse to train, or to measure for it, beside the data that was typed.

    Raises:
        BadInput: no strategy trains on it.
    """
    unused = unused_data(options, profile)
    if unused is None:
        return
    first = trained_on(profile)[0].name
    raise BadInput(
        f"{unused}; leave it out, take another --profile, or give it to a strategy with --set"
        f" {quoted(f'{first}.data={options.data}')}"
    )
