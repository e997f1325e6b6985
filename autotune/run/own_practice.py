"""Practice data of a run's own (`data = "synth"`): made before the probe, once, by its own model.

Before the probe, since what fits is asked of the rows themselves: of the longest one, and of each
strategy's step for its speed. All strategies that practise share one file.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from autotune.base.errors import BadInput
from autotune.base.format import strategies_text
from autotune.config.own_data import PRACTICE_LABEL, practising
from autotune.protocol.events import Content
from autotune.run.fingerprint import fingerprint
from autotune.run.mixed_data import mixtures
from autotune.run.practice import CHATS, make_practice
from autotune.run.resume_check import demand_same_content
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.run.state import StudyState
from autotune.run.training_data import training_data
from autotune.sources.dataset import DataSource
from autotune.sources.digest import has_digest, sha256_of
from autotune.sources.prompts import dropped_prompts
from autotune.synth.card_file import README

FOLDER = "run"
"""The name of the run's own practice data among those in its folder."""


def with_practice(session: Session, setup: Setup) -> Setup:
    """The setup with the data of the strategies that practise; it is made where it is not there.

    Raises:
        BadInput: the model cannot answer, or it is not the data any more that the run began with.
        EnvironmentFault: it cannot be made now; what is answered stays.
    """
    strategies = practising(setup.profile)
    if not strategies:
        return setup
    where = session.rundir.practice_folder(FOLDER)
    path = make_practice(session, setup, setup.model_folder, setup.profile.synth, where)
    if not path.stat().st_size:
        names = strategies_text([strategy.name for strategy in strategies])
        raise BadInput(
            f"{names}: no answer of {setup.model_label} came to be practice data"
            f" ({path.with_name(README)} says why); practise with a model that answers, or give"
            ' data = "FILE"'
        )
    made = DataSource(path, PRACTICE_LABEL)
    return with_own_data(session, setup, {strategy.name: made for strategy in strategies})


def is_to_practise(setup: Setup) -> bool:
    """Whether practice data is still to be made."""
    return any(s.name not in setup.own_data for s in practising(setup.profile))


def with_made_practice(session: Session, setup: Setup, where: Path, state: StudyState) -> Setup:
    """The setup with the practice data in `where`, where the run of this state has made it.

    Raises:
        BadInput: the data that it is mixed with cannot be read.
    """
    made = state.practice_made.get(where.name)
    if made is None or not is_to_practise(setup) or not has_digest(where / CHATS, made.sha256):
        return setup
    there = DataSource(where / CHATS, PRACTICE_LABEL)
    return with_own_data(session, setup, {s.name: there for s in practising(setup.profile)})


def with_own_data(session: Session, setup: Setup, sources: Mapping[str, DataSource]) -> Setup:
    """The setup with files that some strategies train on, by strategy, beside what it has."""
    assert setup.content is not None and setup.prompts_file is not None
    profile, prompts = setup.profile, setup.prompts_file
    digests = {path: sha256_of(path) for path in {source.path for source in sources.values()}}
    new = {name: {s.path.name: digests[s.path]} for name, s in sources.items()}
    content = Content.from_parts(setup.content, own_data=setup.content.own_data | new)
    demand_same_content(session, content, setup.model_label)
    named = {name: data.source for name, data in setup.own_data.items()}
    run, every = setup.run_data.source, {**named, **sources}
    mixed = mixtures(
        session, profile, run, every, content, dropped_prompts(profile, setup.prompts_file)
    )
    own_data = training_data(profile, run, every, prompts, content, mixed)
    del own_data[""]
    return replace(
        setup,
        content=content,
        own_data=own_data,
        fingerprint=fingerprint(
            setup.device, profile, setup.device_spec, setup.model_folder, content
        ),
    )
