"""What a person should do about a training, said while it runs: pure rules over what is recorded.

Each rule speaks at most once a trial; what it said is in the record, so a resumed run does not say
it again. docs/watch.md explains each of them.
"""

from collections.abc import Callable

from autotune.protocol import events
from autotune.train.advice import learning, machine
from autotune.train.advice.facts import Facts

RULES: dict[str, Callable[[Facts], str | None]] = {
    "first_loss": learning.first_loss,
    "loss_slow": learning.loss_slow,
    "loss_at_end": learning.loss_at_end,
    "loss_rising": learning.loss_rising,
    "grad_norm": learning.grad_norm,
    "norm_spikes": learning.norm_spikes,
    "overflows": learning.overflows,
    "weights_still": learning.weights_still,
    "slowed": machine.slowed,
    "slow": machine.slow,
    "hours": machine.hours,
    "heat": machine.heat,
    "battery": machine.battery,
    "card_full": machine.card_full,
    "near_budget": machine.near_budget,
    "out_of_memory": machine.out_of_memory,
    "stopped": machine.stopped,
}
"""Name, as it stands in the record -> rule."""


def due(facts: Facts) -> tuple[events.Advised, ...]:
    """The advice that is to be given now and was not given yet."""
    reported_rules = {advice.rule for advice in facts.trial.telemetry.advice}
    last = facts.trial.last_step
    return tuple(
        events.Advised(
            number=facts.trial.number,
            rule=name,
            step=last.step if last else 0,
            message=message,
        )
        for name, rule in RULES.items()
        if name not in reported_rules and (message := rule(facts)) is not None
    )


__all__ = ["RULES", "Facts", "due"]
