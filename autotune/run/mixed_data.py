"""A strategy's own data mixed with the run's (`mix`): one file in the run folder, made once.

The file follows from what it is made of and from the seed, so every host that works at a study has
the same. What it is made of stands in the record, and a run goes on with the same content only.
"""

import json
from collections.abc import Mapping

from autotune.base.errors import BadInput
from autotune.base.files import write_text_atomic
from autotune.base.format import percent
from autotune.config.own_data import data_of, trained_on
from autotune.config.profile import Profile
from autotune.data.mixture import mixture
from autotune.protocol.events import Content, DataMixed
from autotune.protocol.plan import DataSpec, Strategy
from autotune.run.content import FINGERPRINT_DIGITS, REMEDY
from autotune.run.session import Session
from autotune.run.training_data import MixedData, named_strategy
from autotune.sources.dataset import DataSource
from autotune.sources.digest import has_digest, sha256_of_text


def mixtures(
    session: Session,
    profile: Profile,
    data: DataSource,
    sources: Mapping[str, DataSource],
    content: Content,
    drop_prompts: str | None,
) -> dict[str, MixedData]:
    """The mixed data of each strategy that mixes, its file made where it is not there yet.

    `data` is the run's own, `sources` are those of strategies, `content` what both hold. A mixture
    of nothing but its own data is none.

    Raises:
        BadInput: the data cannot be read, or gives another mixture than the run began with.
    """
    found: dict[str, MixedData] = {}
    for strategy in trained_on(profile):
        own = sources.get(strategy.name)
        if own is not None and strategy.mix is not None and strategy.mix < 1:
            with named_strategy(strategy):
                found[strategy.name] = _mixed(
                    session, profile, strategy, strategy.mix, (own, data), content, drop_prompts
                )
    return found


def _mixed(
    session: Session,
    profile: Profile,
    strategy: Strategy,
    share: float,
    files: tuple[DataSource, DataSource],
    content: Content,
    drop_prompts: str | None,
) -> MixedData:
    own, data = files
    train = profile.train
    most = strategy.max_conversations or train.max_conversations
    parts = tuple(
        DataSpec.from_parts(
            choice, train, path=str(file.path), drop_prompts=drop_prompts, max_conversations=None
        )
        for file, choice in ((own, data_of(profile, strategy)), (data, profile.data))
    )
    of = {
        "content": [content.own_data[strategy.name], content.data],
        "dropped": content.prompts if drop_prompts else None,
        "read": [[part.format, part.skip_bad] for part in parts],
        "drawn": [share, train.seed, most],
    }
    digest = sha256_of_text(json.dumps(of))[:FINGERPRINT_DIGITS]
    path = session.rundir.mixed_data(digest)
    known = session.state.mixed.get(strategy.name)
    if known is None or known.file != path.name or not has_digest(path, known.sha256):
        made = mixture(*parts, share=share, seed=train.seed, most=most)
        now = DataMixed(
            strategy=strategy.name,
            file=path.name,
            sha256=sha256_of_text(made.text),
            share=share,
            seed=train.seed,
            own_data=own.label,
            own=made.own,
            other_data=data.label,
            others=made.others,
        )
        if known is not None and known.sha256 != now.sha256:
            raise BadInput(
                f"{path}: is not what this run began with, and this version of the tool mixes"
                f" otherwise; {REMEDY}"
            )
        write_text_atomic(path, made.text)
        known = now
    label = f"{own.label} mixed with {data.label} ({percent(share, 0)} its own)"
    return MixedData(DataSource(path, label), known)
