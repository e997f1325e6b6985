"""Conversations held out of a training: which, their loss, and when it is measured."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from autotune.data.load import load_conversations
from autotune.protocol import events
from autotune.protocol.choices import Precision, Truncation
from autotune.protocol.events import HeldOutLoss, WorkerEvent
from autotune.protocol.job import TrainJob
from autotune.protocol.plan import DataSpec, TrainPlan
from autotune.worker.tokens.encode import IGNORED, Row, kept_rows
from autotune.worker.train import held_out as held_out_module
from autotune.worker.train import step as step_module
from autotune.worker.train.held_out import held_out_loss, split
from autotune.worker.train.loop import train
from autotune.worker.train.step import Stepper
from tests.worker.toys import (
    Tight,
    chat_file,
    cpu,
    loaded_toy,
    of_kind,
    plan_of,
    save_toy,
    some_rows,
    stepper_of,
    train_job,
)

pytestmark = pytest.mark.torch

COUNT, HELD_OUT = 60, 3


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("toy")
    return save_toy(folder / "model"), chat_file(folder / "chat.jsonl", conversations=COUNT)


def plan(toy: tuple[Path, Path], **changes: Any) -> TrainPlan:
    """Ten steps of six conversations; a checkpoint that can be resumed after each."""
    values: dict[str, Any] = {"conversations": COUNT - HELD_OUT, "held_out": HELD_OUT}
    values |= {"batch_size": 6, "num_train_epochs": 1, "neftune_noise_alpha": 5.0}
    return plan_of(*toy, **(values | changes))


def trained(job: TrainJob) -> list[WorkerEvent]:
    pipe = Tight()
    train(job, cpu(), pipe)
    return pipe.emitted


def measured(emitted: Sequence[WorkerEvent]) -> dict[int, float | None]:
    return {event.step: event.loss for event in of_kind(emitted, HeldOutLoss)}


def weights(out: Path) -> bytes:
    return (out / "step-000010" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(
    toy: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[WorkerEvent]]:
    out = tmp_path_factory.mktemp("undisturbed")
    return out, trained(train_job(plan(toy), out))


def plain_loss(model: Any, rows: Sequence[Row]) -> float:
    """What transformers itself computes, a row at a time."""
    summed = count = 0.0
    model.eval()
    with torch.no_grad():
        for row in rows:
            supervised = sum(label != IGNORED for label in row.labels[1:])
            labels = torch.tensor([row.labels])
            out = model(input_ids=torch.tensor([row.input_ids]), labels=labels)
            summed += float(out.loss) * supervised
            count += supervised
    return summed / count


def test_the_loss_is_measured_before_training_and_at_each_fifth_of_it(
    toy: tuple[Path, Path], undisturbed: tuple[Path, list[WorkerEvent]]
) -> None:
    _, emitted = undisturbed
    said = of_kind(emitted, HeldOutLoss)
    assert [(e.step, e.progress) for e in said] == [
        (0, 0.0),
        (2, 0.2),
        (4, 0.4),
        (6, 0.6),
        (8, 0.8),
    ]
    assert {e.conversations for e in said} == {HELD_OUT}
    kinds = [e for e in emitted if isinstance(e, events.StepDone | HeldOutLoss)]
    for before, after in itertools.pairwise(kinds):
        if isinstance(after, HeldOutLoss) and isinstance(before, events.StepDone):
            assert after.step == before.step
    loaded = loaded_toy(toy[0])
    rows = kept_rows(
        loaded.codec,
        load_conversations(plan(toy).data).conversations,
        max_rounds="all",
        model_max_length=256,
        truncation=Truncation.RIGHT,
    )
    _, held = split(rows, HELD_OUT, plan(toy).seed)
    assert said[0].loss == pytest.approx(plain_loss(loaded.model, held), rel=1e-5)
    assert said[-1].loss < said[0].loss


def test_no_step_sees_a_conversation_that_is_held_out(
    toy: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[int]] = []
    held: list[list[int]] = []
    step, loss = Stepper.step, held_out_loss

    def listened(self: Stepper, rows: Sequence[Row], number: int) -> Any:
        seen.extend(row.input_ids for row in rows)
        return step(self, rows, number)

    def heard(stepper: Stepper, rows: Sequence[Row]) -> Any:
        held.extend(row.input_ids for row in rows)
        return loss(stepper, rows)

    monkeypatch.setattr(step_module.Stepper, "step", listened)
    monkeypatch.setattr(held_out_module, "held_out_loss", heard)
    trained(train_job(plan(toy, num_train_epochs=2), tmp_path))
    assert len(seen) == 2 * (COUNT - HELD_OUT)
    assert len(held) == 5 * HELD_OUT
    assert not {tuple(row) for row in seen} & {tuple(row) for row in held}
    assert len({tuple(row) for row in held}) == HELD_OUT


def test_which_are_held_out_depends_on_the_seed_alone_and_none_is_lost() -> None:
    rows = some_rows(range(2, 62))
    kept, held = split(rows, 5, 7)
    assert (kept, held) == split(rows, 5, 7)
    assert held != split(rows, 5, 8)[1]
    assert (len(kept), len(held)) == (55, 5)
    assert sorted([*kept, *held], key=lambda row: len(row.input_ids)) == rows
    assert split(rows, 0, 7) == (rows, [])


def test_what_is_trained_on_tells_nothing_of_what_is_held_out() -> None:
    """Variants of one answer, and conversations that begin with the same question."""
    rows = [Row([at], [at], f"task {at // 3}") for at in range(90)]
    for seed in range(20):
        kept, held = split(rows, 9, seed)
        assert (len(kept), len(held)) == (81, 9)
        assert {row.family for row in kept}.isdisjoint(row.family for row in held)


def test_only_a_family_that_is_too_large_is_divided() -> None:
    large = [Row([at], [at], "the same question") for at in range(40)]
    rows = [*large, *(Row([at], [at], f"question {at}") for at in range(40, 43))]
    kept, held = split(rows, 5, 3)
    assert (len(kept), len(held)) == (38, 5)
    assert [row.family for row in held] == ["the same question"] * 2 + [
        f"question {at}" for at in range(40, 43)
    ]


def test_variants_of_one_answer_are_a_family_as_read_from_practice_data(tmp_path: Path) -> None:
    turns = [("Write of Rome.", "Rome is old."), ("Write of Rome. No commas.", "Rome is old")]
    lines = [
        {
            "messages": [
                {"role": "user", "content": question},
                {"role": "assistant", "content": answer},
            ],
            "practice": {"task": task},
        }
        for task, (question, answer) in zip((0, 0, 1), [*turns, turns[0]], strict=True)
    ]
    path = tmp_path / "practice.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    found = load_conversations(DataSpec(path=str(path), format="auto")).conversations
    assert found[0].family == found[1].family != found[2].family


def test_conversations_that_begin_with_the_same_question_are_a_family(tmp_path: Path) -> None:
    loaded = load_conversations(DataSpec(path=str(chat_file(tmp_path / "c.jsonl")), format="auto"))
    first, second, *_ = loaded.conversations
    again = replace(first, messages=(*first.messages[:-1], second.messages[-1]))
    assert again.family == first.family != second.family


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_the_loss_is_the_same_in_micro_batches_of_any_kind(
    toy: tuple[Path, Path], packing: bool, gradient_checkpointing: bool
) -> None:
    rows = some_rows([12, 61, 33, 40, 7, 18])
    loaded = loaded_toy(toy[0])
    plain = plain_loss(loaded.model, rows)
    cut = {"packing": packing, "gradient_checkpointing": gradient_checkpointing}
    for tokens in (1, 70, 10_000):
        stepper = stepper_of(loaded, micro_batch_tokens=tokens, **cut)
        assert held_out_loss(stepper, rows) == pytest.approx(plain, rel=1e-5)
        assert loaded.model.training


def test_a_head_that_the_model_computes_itself_gives_the_same_loss(toy: tuple[Path, Path]) -> None:
    rows = some_rows([30, 9])
    stepper = stepper_of(loaded_toy(toy[0]))
    ours = held_out_loss(stepper, rows)
    stepper.own_head = True
    assert held_out_loss(stepper, rows) == pytest.approx(ours, rel=1e-5)


def test_what_overflows_in_fp16_only_is_measured_in_bf16(toy: tuple[Path, Path]) -> None:
    rows = some_rows([30, 9])
    loaded = loaded_toy(toy[0])
    with torch.no_grad():
        loaded.model.model.norm.weight.fill_(1e6)
    exact = held_out_loss(stepper_of(loaded), rows)
    assert exact is not None
    assert held_out_loss(stepper_of(loaded, Precision.FP16), rows) == pytest.approx(exact, rel=0.05)
    with torch.no_grad():
        loaded.model.model.norm.weight[0] = float("nan")
    assert held_out_loss(stepper_of(loaded, Precision.FP16), rows) is None


def test_measuring_leaves_the_training_as_it_was_bit_for_bit(
    toy: tuple[Path, Path], undisturbed: tuple[Path, list[WorkerEvent]], tmp_path: Path
) -> None:
    job = train_job(plan(toy), tmp_path)
    emitted = trained(job.model_copy(update={"held_out_known": plan(toy).held_out_steps}))
    assert measured(emitted) == {}
    assert weights(tmp_path) == weights(undisturbed[0])


def test_a_resumed_training_measures_what_is_not_on_record_and_nothing_again(
    toy: tuple[Path, Path], undisturbed: tuple[Path, list[WorkerEvent]], tmp_path: Path
) -> None:
    """Ended in its fifth step, and before the loss after the fourth reached the record."""
    right = measured(undisturbed[1])
    job = train_job(plan(toy), tmp_path)
    ended = Tight(error=lambda: RuntimeError("killed"))
    enter = ended.enter

    def enter_until(phase: str) -> None:
        enter(phase)
        if phase == "forward" and len(of_kind(ended.emitted, events.StepDone)) == 4:
            raise ended.error()

    ended.enter = enter_until  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="killed"):
        train(job, cpu(), ended)
    first = measured(ended.emitted)
    assert first == {step: right[step] for step in (0, 2, 4)}

    emitted = trained(job.model_copy(update={"held_out_known": (0, 2)}))
    (resumed,) = of_kind(emitted, events.Resumed)
    assert resumed.step == 4
    assert measured(emitted) == {step: right[step] for step in (4, 6, 8)}
    assert weights(tmp_path) == weights(undisturbed[0])


def test_the_loss_before_training_that_is_missing_is_that_of_the_model_it_began_with(
    toy: tuple[Path, Path], undisturbed: tuple[Path, list[WorkerEvent]], tmp_path: Path
) -> None:
    out, emitted = undisturbed
    known = (2, 4, 6, 8)
    again = trained(train_job(plan(toy), out).model_copy(update={"held_out_known": known}))
    assert measured(again) == {0: measured(emitted)[0]}
    assert not of_kind(again, events.StepDone)
