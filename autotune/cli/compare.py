"""`eval compare A B`: two sets of answers to the same prompts, and whether they really differ."""

from collections.abc import Sequence
from pathlib import Path

from autotune.base.errors import BadInput, ExitCode
from autotune.cli.console import human_console, print_json
from autotune.cli.device import chosen_profile
from autotune.cli.eval import chosen_prompts
from autotune.cli.find_answers import find_answers, judged_by, scored_by
from autotune.cli.options import Options
from autotune.config.profile import Profile
from autotune.protocol.results import Think
from autotune.run.folder import RunDir
from autotune.score.answers import answers_to
from autotune.score.evaluation import pair, pair_tree
from autotune.score.prompts import written_prompts
from autotune.score.registry import find_scorer
from autotune.screen.eval import compared_summary


def compare_command(
    options: Options, targets: tuple[str, ...], examples: int, as_json: bool
) -> int:
    """`eval compare`: exit 0, whichever is better."""
    if len(targets) != 2:
        raise BadInput(f"eval compare: needs two sets of answers, not {len(targets)}")
    console = human_console(as_json)
    first, second = (find_answers(Path(target)) for target in targets)
    profile = chosen_profile(options, computes=False)
    runs = [found.run for found in (first, second) if found.run is not None]
    scorer = find_scorer(scorer_of(options, runs, profile))
    if options.prompts is None and runs:
        prompts = written_prompts(runs[0].prompts, scorer.prompt_type)
    else:
        prompts = chosen_prompts(console, options, profile, scorer)
    found = pair(
        scorer,
        prompts,
        answers_to(first.responses, prompts).answers,
        answers_to(second.responses, prompts).answers,
        examples,
        think_of(options, runs, profile),
    )
    if found is None:
        raise BadInput(
            f"eval compare: {targets[0]} and {targets[1]} answer no prompt in common; give the"
            " prompts that both were asked with --prompts"
        )
    console.print(compared_summary(scorer, found, (targets[0], targets[1])))
    if as_json:
        print_json(pair_tree(found))
    return ExitCode.DONE


def scorer_of(options: Options, runs: Sequence[RunDir], profile: Profile) -> str:
    """What judges both sets: what `--scorer` says, else what judged the first of their runs.

    Raises:
        BadInput: it is to judge the prompts of a run that another one judged.
    """
    if not runs:
        return profile.prompts.scorer
    own = scored_by(runs[0])
    if options.scorer is None:
        return own
    if options.prompts is None and profile.prompts.scorer != own:
        raise BadInput(
            f"--scorer {profile.prompts.scorer}: the prompts of {runs[0].root} are for the scorer"
            f" {own}; leave it out, or give other prompts with --prompts"
        )
    return profile.prompts.scorer


def think_of(options: Options, runs: Sequence[RunDir], profile: Profile) -> Think:
    """Which text of the answers is judged: of both sets the same.

    What `--think` says, else what their runs did.

    Raises:
        BadInput: the runs judged differently, so that it has to be said.
    """
    if options.think is not None or not runs:
        return profile.evaluate.think
    ways = {judged_by(run) for run in runs}
    if len(ways) > 1:
        first, second = (f"{run.root} with --think {judged_by(run)}" for run in runs)
        raise BadInput(
            f"eval compare: judged differently ({first}, {second}), so their scores are no scores"
            " of the same; say which is meant for both with --think keep or --think strip"
        )
    return ways.pop()
