"""What a run trains on besides plain files, put on record: mixtures, and which data is practice.

Practice data is known by its rows, each of which says where it comes from, and by the card beside
it, which names the kinds that were held out.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autotune.base.model import Boundary
from autotune.data.files import RecordStream
from autotune.data.formats import PRACTICE
from autotune.protocol.events import PracticeFound
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.run.training_data import TrainingData
from autotune.synth.card_file import card_of


class _Card(Boundary, extra="ignore"):
    """What is read of a card, of this version or another."""

    held_out_kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kinds:
    """How many chats practice data has, of which kinds, and which were held out of it."""

    conversations: int
    practised: tuple[str, ...]
    held_out: tuple[str, ...]


def emit_training_data(session: Session, setup: Setup) -> None:
    """Record what is new of the mixtures and the practice data that the run trains on."""
    for data in setup.own_data.values():
        if data.mixed is not None and session.state.mixed.get(data.mixed.strategy) != data.mixed:
            session.emit(data.mixed)
    for event in _practice(setup):
        if event not in session.state.practice_found.values():
            session.emit(event)


def _practice(setup: Setup) -> list[PracticeFound]:
    """An event for the run's data, and for each other that strategies train on, where it is one."""
    sharing: dict[str, tuple[TrainingData, list[str]]] = {}
    for strategy, data in setup.own_data.items():
        sharing.setdefault(data.digest, (data, []))[1].append(strategy)
    each: list[tuple[TrainingData, list[str]]] = [(setup.run_data, []), *sharing.values()]
    found: list[PracticeFound] = []
    for data, strategies in each:
        kinds = kinds_in(data.source.path, data.spec.skip_bad)
        if kinds is not None:
            conversations = data.mixed.own if data.mixed is not None else kinds.conversations
            event = PracticeFound.from_parts(
                kinds,
                strategies=tuple(strategies),
                data=data.label,
                conversations=conversations,
            )
            found.append(event)
    return found


def kinds_in(path: Path, skip_bad: int = 0) -> Kinds | None:
    """The kinds of practice data; None of any other data, of which one record is looked at.

    Raises:
        BadInput: it cannot be read.
    """
    practised: set[str] = set()
    conversations = 0
    for _, row in RecordStream(path, skip_bad):
        provenance: Any = row.get(PRACTICE)
        if not isinstance(provenance, dict):
            if not conversations:
                return None
            continue
        conversations += 1
        named = provenance.get("instruction_id_list")
        practised.update(kind for kind in named or () if isinstance(kind, str))
    return Kinds(conversations, tuple(sorted(practised)), _held_out(card_of(path), practised))


def _held_out(card: Path | None, practised: set[str]) -> tuple[str, ...]:
    """What a card says was held out; nothing where there is none, or where it is of other data."""
    if card is None:
        return ()
    try:
        found = _Card.model_validate_json(card.read_bytes())
    except (OSError, ValidationError):
        return ()
    kinds = set(found.held_out_kinds)
    return () if kinds & practised else tuple(sorted(kinds))
