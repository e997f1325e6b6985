"""What a model follows of the kinds that its practice left out, beside those that it practised.

Who learned the rules that were practised follows those; who learned to follow does better on the
others as well. A kind is what a verdict calls an instruction, whatever the scorer.
"""

from collections.abc import Collection, Iterable

from autotune.protocol.results import PromptVerdict
from autotune.protocol.scores import Metric
from autotune.protocol.training_data_events import KindsApart


def kinds_apart(
    verdicts: Iterable[PromptVerdict], practised: Collection[str], held_out: Collection[str]
) -> KindsApart | None:
    """The strict passes of held-out and practised kinds; None without an instruction of either.

    A prompt has a held-out kind if one of its instructions is one.
    """
    instructions: dict[bool | None, list[bool]] = {True: [], False: [], None: []}
    prompts: dict[bool, list[bool]] = {True: [], False: []}
    for verdict in verdicts:
        kinds = {each.instruction for each in verdict.instructions}
        prompts[not kinds.isdisjoint(held_out)].append(verdict.strict)
        for each in verdict.instructions:
            kind = each.instruction
            is_held_out = True if kind in held_out else False if kind in practised else None
            instructions[is_held_out].append(each.strict)
    if not instructions[True] and not instructions[False]:
        return None
    return KindsApart(
        held_out=tuple(sorted(held_out)),
        held_out_instructions=_metric(instructions[True]),
        practised_instructions=_metric(instructions[False]),
        unpractised_instructions=_metric(instructions[None]),
        held_out_prompts=_metric(prompts[True]),
        other_prompts=_metric(prompts[False]),
    )


def _metric(passed: Collection[bool]) -> Metric:
    return Metric.of(sum(passed), len(passed))
