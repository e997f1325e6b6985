"""`inspect`: what the data is, what each length keeps of it, and which tokens are supervised."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autotune.base.errors import ExitCode
from autotune.base.format import strategies_text
from autotune.base.scratch import scratch_folder
from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.device import chosen_profile
from autotune.cli.next_command import next_command
from autotune.cli.options import Options
from autotune.cli.run_folder import interruption_from
from autotune.cli.unused_data import unused_data
from autotune.config.own_data import by_data, is_trained_on, practising
from autotune.config.profile import Profile
from autotune.data.survey import Retention
from autotune.fit.data_report import DataReport, inspect_data
from autotune.launch import SubprocessRunner
from autotune.protocol.plan import Strategy
from autotune.run.folder import RunDir
from autotune.run.inputs import demand_data, demand_model, demand_on_hub, demand_scored_prompts
from autotune.run.session import Session
from autotune.run.training_data import named_strategy
from autotune.screen.data import inspected_summary
from autotune.text.interruption import interrupted_look

NOTHING: dict[str, Any] = {"data": None}
"""What the object of `--json` says of the run's data where no strategy trains on it."""


def inspect_command(options: Options, tokens: bool) -> int:
    """`inspect`; nothing is trained and nothing is left behind.

    All conversations are looked at unless a number was typed: how many a profile trains on is a
    matter of time, not of the data. Data that strategies name themselves follows, unless one file
    was typed.
    """
    console = human_console(options.as_json)
    profile = chosen_profile(options, computes=False)
    demand_data(profile)
    demand_scored_prompts(profile)
    demand_model(profile, options.model_max_length, weights=False)
    demand_on_hub(profile, weights=False)
    say = say_on(console)
    say(f"strategies of profile {profile.name} ({profile.title})")
    trained = options
    if (unused := unused_data(options, profile)) is not None:
        say(f"{unused}; it is shown, and left out of the next command")
        trained = replace(options, data=None, format=None)
    with (
        interruption_from(interrupted_look),
        scratch_folder("inspect") as folder,
        RunDir(folder / "work") as rundir,
    ):
        session = Session(rundir, SubprocessRunner())
        first, *others = by_data(profile)

        def looked_at(each: Profile, features: bool = False) -> DataReport:
            most = profile.train.max_conversations
            inspected = inspect_data(
                session,
                each,
                say,
                length=options.model_max_length,
                rounds=profile.probe.max_rounds,
                max_conversations=most if options.max_conversations is not None else None,
                features=features,
            )
            console.print(inspected_summary(inspected, tokens))
            return inspected

        # Data that no strategy trains on is looked at only where somebody asks for it.
        wanted = options.data is not None or is_trained_on(profile)
        inspected = looked_at(first, tokens and options.as_json) if wanted else None
        if options.data is not None:
            for line in left_out_lines(others):
                say(line)
            others = []
        elif (unmade := practice_line(practising(profile))) is not None:
            say(unmade)
        trees = []
        for each in others:
            with named_strategy(each.strategies[0]):
                trees.append(as_tree(looked_at(each), profile.name))
        tree = NOTHING if inspected is None else as_tree(inspected, profile.name)
        tree = {**tree, "profile": profile.name, "own_data": trees}
        say(f"next: {next_command('probe', trained)}")
        if options.as_json and inspected is not None and inspected.features is not None:
            print_with_features(tree, inspected.features)
        elif options.as_json:
            print_json(tree)
    return ExitCode.DONE


def left_out_lines(others: Sequence[Profile]) -> list[str]:
    """Whose data a look at one file leaves out."""
    return [
        f"{each.data.source} of {strategies_text([s.name for s in each.strategies])}: --data leaves"
        " it out here"
        for each in others
    ]


def practice_line(strategies: Sequence[Strategy]) -> str | None:
    """That some strategies train on what is not there yet; None without any."""
    if not strategies:
        return None
    names = strategies_text([strategy.name for strategy in strategies])
    return f"{names}: practice data, which the run makes; inspect --data shows it afterwards"


def as_tree(inspected: DataReport, profile: str) -> dict[str, Any]:
    """The object of `--json`, without features."""
    found = inspected.found
    return {
        "profile": profile,
        "model": inspected.model_label,
        "data": inspected.data_label,
        "format": found.format,
        "format_reason": found.reason,
        "conversations": inspected.records,
        "kept": inspected.chosen.conversations,
        "dropped": inspected.dropped,
        "left_out": found.left_out,
        "trimmed": found.trimmed,
        "notes": [note.model_dump(mode="json") for note in inspected.notes],
        "model_max_length": inspected.length,
        "max_rounds": inspected.rounds,
        "max_position_embeddings": inspected.positions,
        "lengths": inspected.lengths,
        "rounds": inspected.round_counts,
        "supervision": found.supervision.value,
        "truncation": inspected.survey.truncation.value,
        "roles": found.roles,
        "source_roles": found.source_roles,
        "end_token": found.stop.end_token,
        "end_token_id": found.stop.end_id,
        "eos_token": found.stop.eos_token,
        "eos_token_id": found.stop.eos_id,
        "literal_markers": inspected.survey.file.literal_markers,
        "supervised_tokens": inspected.survey.total_supervised,
        "frontier": [
            {"model_max_length": length, "max_rounds": rounds, **kept_tree(kept)}
            for (length, rounds), kept in inspected.table.items()
        ],
        "strategies": {
            requested.name: {
                "model_max_length": requested.length,
                "max_rounds": requested.rounds,
                "as_fits": requested.as_fits,
                **kept_tree(requested.kept),
            }
            for requested in inspected.requests
        },
        "warnings": list(inspected.warnings),
        "samples": [
            sample.model_dump(mode="json", exclude={"runs": {"__all__": {"ids"}}})
            for sample in found.samples
        ],
    }


def kept_tree(kept: Retention) -> dict[str, Any]:
    """One point of the retention table: a share of 0..1, counts of conversations and of tokens."""
    return {
        "kept_supervised": kept.supervised_share,
        "truncated": kept.truncated,
        "lost": kept.lost,
        "conversations": kept.conversations,
        "longest_row": kept.longest_row,
        "tokens": kept.tokens,
        "supervised_tokens": kept.supervised,
    }


def print_with_features(tree: dict[str, Any], features: Path) -> None:
    """One JSON object, its `features` copied line by line: they may be most of the memory."""
    out = sys.stdout
    out.write(json.dumps(tree).removesuffix("}") + ', "features": [')
    with features.open(encoding="utf-8") as lines:
        for at, line in enumerate(lines):
            out.write((", " if at else "") + line.rstrip("\n"))
    out.write("]}\n")
    out.flush()
