"""A step of the run as other trainers count it: rows at a time, times how often."""

from autotune.protocol.plan import TrainPlan


def rows_and_repeats(plan: TrainPlan) -> tuple[int, int]:
    """Rows of a micro-batch and micro-batches of a step; their product is the plan's batch size.

    Other trainers count rows and not tokens, so the most rows that fit the run's micro-batch at its
    longest sequence are taken, of those that divide a step.
    """
    room = max(1, plan.micro_batch_tokens // plan.model_max_length)
    rows = max(n for n in range(1, plan.batch_size + 1) if plan.batch_size % n == 0 and n <= room)
    return rows, plan.batch_size // rows
