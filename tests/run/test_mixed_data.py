"""What a strategy mixes lies in the run folder and on record, the same whenever it is made."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import BadInput
from autotune.config.profile import Profile
from autotune.config.strategy_faults import strategy_faults
from autotune.report.build import report_of
from autotune.run.content import content_of
from autotune.run.fingerprint import used_keys
from autotune.run.mixed_data import mixtures
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.run.training_data import own_sources, training_data
from autotune.run.training_record import emit_training_data, kinds_in
from autotune.sources.dataset import resolve_data
from autotune.text.events import describe
from tests import setups
from tests.played import Workers


def chats(count: int, name: str, **more: object) -> str:
    """So many conversations, one a line."""
    rows = (
        {"messages": [{"role": "user", "content": f"{name} {at}"}, ANSWER], **more}
        for at in range(count)
    )
    return "".join(json.dumps(row) + "\n" for row in rows)


ANSWER = {"role": "assistant", "content": "so"}
PRACTICE = {"practice": {"instruction_id_list": ["punctuation:no_comma", "startend:quotation"]}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's data, practice data of an earlier command, prompts and a model's folder."""
    (tmp_path / "model").mkdir()
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / "model" / name).write_text("{}", encoding="utf-8")
    (tmp_path / "chat.jsonl").write_text(chats(40, "why"), encoding="utf-8")
    (tmp_path / "practice.jsonl").write_text(chats(6, "do", **PRACTICE), encoding="utf-8")
    card = {"model": "toy", "held_out_kinds": ["detectable_format:title"]}
    (tmp_path / "card.json").write_text(json.dumps(card), encoding="utf-8")
    (tmp_path / "asked.jsonl").write_text('{"key": 1, "prompt": "Why"}\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def profile(**changes: object) -> Profile:
    """A trains on the run's data, B on practice data and as many of the run's."""
    own: dict[str, Any] = {"data": "practice.jsonl", "mix": 0.5, "max_conversations": 10}
    chosen = setups.profile(setups.strategy("A"), setups.strategy("B", **(own | changes)))
    return chosen.model_copy(
        update={"data": chosen.data.model_copy(update={"source": "chat.jsonl"})}
    )


def setup_of(folder: Path, chosen: Profile, session: Session) -> Setup:
    """The setup of this profile, its data resolved and mixed as `open_setup` does it."""
    data, prompts = resolve_data("chat.jsonl"), folder / "asked.jsonl"
    sources = own_sources(chosen)
    files = {name: source.path for name, source in sources.items()}
    now = content_of(data.path, prompts, "", folder / "model", files)
    mixed = mixtures(session, chosen, data, sources, now, None)
    found = training_data(chosen, data, sources, prompts, now, mixed)
    of_run = found.pop("")
    return replace(setups.setup(chosen), data=of_run.spec, content=now, own_data=found)


def session_of(folder: Path) -> Session:
    return setups.session(folder / "run", Workers())[0]


def test_a_mixture_is_one_file_of_the_run_with_its_origin_on_record(folder: Path) -> None:
    session = session_of(folder)
    with session.rundir:
        setup = setup_of(folder, profile(), session)
        emit_training_data(session, setup)
        emit_training_data(session, setup)  # what is on record is not said again
        said = [describe(record) for record in session.rundir.records()]
    data = setup.data_of("B")
    path = Path(data.spec.path)
    assert path.parent == folder / "run" and path.name.startswith("mixed-")
    assert data.label == "practice.jsonl mixed with chat.jsonl (50 % its own)"
    texts = path.read_text(encoding="utf-8")
    assert (texts.count('"do '), texts.count('"why ')) == (5, 5)
    mixed = session.state.mixed["B"]
    assert (mixed.own, mixed.others, mixed.seed, mixed.sha256) == (5, 5, 42, data.sha256)
    assert said == [
        "strategy B: 5 of practice.jsonl and 5 of chat.jsonl (50 % its own)",
        f"data {data.label} of strategy B: 5 conversations of practice, 2 kinds of instruction;"
        " held out: detectable_format:title",
    ]


def test_a_mixture_is_the_same_whenever_it_is_made_and_is_not_made_twice(folder: Path) -> None:
    session = session_of(folder)
    with session.rundir:
        setup = setup_of(folder, profile(), session)
        emit_training_data(session, setup)
        path = Path(setup.data_of("B").spec.path)
        whole, before = path.read_bytes(), path.stat().st_mtime_ns
        assert setup_of(folder, profile(), session).own_data == setup.own_data
        assert path.stat().st_mtime_ns == before
        path.write_text("damaged", encoding="utf-8")
        setup_of(folder, profile(), session)
        assert path.read_bytes() == whole
    other = setups.session(folder / "other", Workers())[0]
    with other.rundir:
        elsewhere = setup_of(folder, profile(), other).data_of("B")
    assert elsewhere.sha256 == setup.data_of("B").sha256
    assert elsewhere.spec.path != setup.data_of("B").spec.path


def test_another_version_that_would_mix_otherwise_is_refused(folder: Path) -> None:
    session = session_of(folder)
    with session.rundir:
        setup = setup_of(folder, profile(), session)
        mixed = setup.data_of("B").mixed
        assert mixed is not None
        session.emit(mixed.model_copy(update={"sha256": "0" * 64}))
        with pytest.raises(
            BadInput, match=r"strategy B: .*this version of the tool mixes otherwise"
        ):
            setup_of(folder, profile(), session)


@pytest.mark.parametrize("mix", [None, 1.0])
def test_without_a_share_of_others_only_its_own_data_is_trained_on(
    folder: Path, mix: float | None
) -> None:
    session = session_of(folder)
    with session.rundir:
        setup = setup_of(folder, profile(mix=mix, max_conversations=None), session)
        emit_training_data(session, setup)
    assert setup.data_of("B").spec.path == str(folder / "practice.jsonl")
    assert not session.state.mixed
    found = session.state.practice_of("B")
    assert found is not None and found.conversations == 6
    assert found.held_out == ("detectable_format:title",)
    assert session.state.practice_of("A") is None


def test_the_card_that_is_named_after_a_file_comes_before_the_card_of_its_folder(
    folder: Path,
) -> None:
    card = {"held_out_kinds": ["startend:end_checker"]}
    (folder / "practice.card.json").write_text(json.dumps(card), encoding="utf-8")
    found = kinds_in(folder / "practice.jsonl")
    assert found is not None and found.held_out == ("startend:end_checker",)
    (folder / "card.json").unlink()
    assert kinds_in(folder / "practice.jsonl") == found
    (folder / "practice.card.json").unlink()
    without = kinds_in(folder / "practice.jsonl")
    assert without is not None and without.held_out == ()


def test_a_card_of_other_data_holds_nothing_out(folder: Path) -> None:
    card = {"held_out_kinds": ["startend:quotation"]}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    session = session_of(folder)
    with session.rundir:
        emit_training_data(session, setup_of(folder, profile(), session))
    found = session.state.practice_of("B")
    assert found is not None and found.held_out == ()


def test_a_trial_is_named_with_what_its_data_was_mixed_of(folder: Path) -> None:
    session = session_of(folder)
    with session.rundir:
        setup = setup_of(folder, profile(), session)
        session.emit(setup.started(0.25, resumed=False))
        emit_training_data(session, setup)
        assert any(
            "5 of practice.jsonl" in m.text for m in report_of(session.history, folder).timeline
        )
    kept = used_keys(setup.profile.strategies[1])
    assert kept["mix"] == 0.5 and "mix" not in used_keys(setup.profile.strategies[0])


def test_a_share_of_no_data_of_its_own_is_refused() -> None:
    table = setups.strategy("B").model_dump() | {"mix": 0.5}
    (fault,) = strategy_faults([table])
    assert fault == (
        '"B" has mix, the share of its own data, and names none: give it data, or leave mix out'
    )
    with pytest.raises(ValueError, match="mix"):
        setups.strategy("B", data="x.jsonl", mix=0.0)
    with pytest.raises(ValueError, match="mix"):
        setups.strategy("B", data="x.jsonl", mix=1.5)


def test_practice_data_is_no_name_for_the_runs_own_data() -> None:
    with pytest.raises(BadInput, match=r"data synth: practice data .* make it with .* synth"):
        resolve_data("synth")
