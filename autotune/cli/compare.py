"""`eval compare A B`: two sets of answers to the same prompts, and whether they really differ."""

from collections.abc import Sequence

from autotune.base.errors import BadInput, ExitCode
from autotune.base.format import either
from autotune.base.home import from_home
from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.device import chosen_profile
from autotune.cli.eval import chosen_prompts
from autotune.cli.find_answers import find_answers, judged_by, scored_by
from autotune.cli.next_command import next_command
from autotune.cli.options import Options
from autotune.config.profile import Profile
from autotune.protocol.choices import Think
from autotune.run.folder import RunDir
from autotune.score.answers import answers_to
from autotune.score.evaluation import pair, pair_tree
from autotune.score.prompts import written_prompts
from autotune.score.registry import find_scorer
from autotune.screen.eval import compared_summary
from autotune.sources.prompts import resolve_prompts


def compare_command(options: Options, targets: tuple[str, ...], examples: int) -> int:
    """`eval compare`: exit 0, whichever is better."""
    if len(targets) != 2:
        raise BadInput(f"eval compare: needs two sets of answers, not {len(targets)}")
    console = human_console(options.as_json)
    first, second = (find_answers(from_home(target)) for target in targets)
    if first.responses.resolve() == second.responses.resolve():
        raise BadInput(
            f"eval compare: {targets[0]} and {targets[1]} are the same answers ({first.responses});"
            " give two different sets"
        )
    profile = chosen_profile(options, computes=False)
    runs = [found.run for found in (first, second) if found.run is not None]
    scorer = find_scorer(scorer_of(options, runs, profile))
    if options.prompts is None and runs:
        prompts = written_prompts(runs[0].prompts, scorer.prompt_type)
        asked = f"prompts of {runs[0].root}"
    else:
        prompts = chosen_prompts(console, options, profile, scorer)
        asked = resolve_prompts(profile.prompts.source).noun
    answers = [answers_to(each.responses, prompts).answers for each in (first, second)]
    found = pair(
        scorer, prompts, answers[0], answers[1], examples, think_of(options, runs, profile)
    )
    if found is None:
        without = [target for target, some in zip(targets, answers, strict=True) if not some]
        verb = "answers" if len(without) == 1 else "answer"
        why = f": {' and '.join(without)} {verb} none of the {asked}" if without else ""
        raise BadInput(
            f"eval compare: {targets[0]} and {targets[1]} answer no prompt in common{why}; give the"
            " prompts that both were asked with --prompts FILE"
        )
    console.print(compared_summary(scorer, found, (targets[0], targets[1])))
    say_on(console)(f"next: {command_after(options, targets, runs, examples)}")
    if options.as_json:
        print_json(pair_tree(found))
    return ExitCode.DONE


def command_after(
    options: Options, targets: Sequence[str], runs: Sequence[RunDir], examples: int
) -> str:
    """What to do after a comparison: read the report of the run, else more of what differs."""
    if runs:
        return next_command("report", options, str(runs[-1].root))
    return next_command("eval compare", options, *targets, "--examples", str(examples + 10))


def scorer_of(options: Options, runs: Sequence[RunDir], profile: Profile) -> str:
    """What judges both sets: what `--scorer` says, else what judged the first of their runs.

    Raises:
        BadInput: it is to judge the prompts of a run that another one judged, or two runs have
            scorers of different prompts.
    """
    if not runs:
        return profile.prompts.scorer
    first, last = runs[0], runs[-1]
    if options.prompts is None and scored_by(first) != scored_by(last):
        raise BadInput(
            f"eval compare: {first.root} was scored by {scored_by(first)} and {last.root} by"
            f" {scored_by(last)}, so they answer no prompt in common; give two runs of one scorer"
        )
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
        each = (f"--think {way}" for way in Think)
        raise BadInput(
            f"eval compare: judged differently ({first}, {second}), so their scores are no scores"
            f" of the same; say which is meant for both with {either(each)}"
        )
    return ways.pop()
