"""Checkpoints: whole or not there, verified before use, and plain folders for transformers."""

import json
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from autotune.base.disk import folder_bytes
from autotune.base.errors import BadInput
from autotune.base.manifest import drop_optimizer
from autotune.protocol.choices import Precision, Supervision
from autotune.worker.model import adopt_template, load
from autotune.worker.tokens.chatml import chat_template
from autotune.worker.train import checkpoint
from autotune.worker.train.checkpoint import DiskFull, newest, restore, save, verified
from autotune.worker.train.step import Stepper
from tests.worker.toys import loaded_toy, save_toy, some_rows, stepper_of

pytestmark = pytest.mark.torch

NAME = "0123456789abcdef"
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_toy(tmp_path_factory.mktemp("toy"))


def trained(folder: Path, steps: int, precision: Precision = Precision.FP32) -> Stepper:
    stepper = stepper_of(loaded_toy(folder), precision)
    go_on(stepper, 1, steps)
    return stepper


def go_on(stepper: Stepper, first: int, last: int) -> list[float]:
    rows = [some_rows([20, 33, 9], seed=number) for number in range(first, last + 1)]
    return [stepper.step(r, number).loss for number, r in enumerate(rows, start=first)]


def saved(stepper: Stepper, root: Path, step: int, identity: str = NAME) -> Path:
    return save(root, stepper.loaded, stepper, step, identity)


def weights(stepper: Stepper) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in stepper.loaded.model.state_dict().items()}


def assert_same_bits(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_a_restored_training_goes_on_as_if_nothing_had_happened(
    folder: Path, tmp_path: Path
) -> None:
    undisturbed = trained(folder, 3)
    where = saved(undisturbed, tmp_path, 3)
    losses = go_on(undisturbed, 4, 7)

    again = stepper_of(loaded_toy(folder))
    restore(where, again)
    assert go_on(again, 4, 7) == losses
    assert_same_bits(weights(again), weights(undisturbed))
    assert_same_bits(checkpoint.optimizer_tensors(again), checkpoint.optimizer_tensors(undisturbed))


def test_tied_weights_stay_tied_when_restored(folder: Path, tmp_path: Path) -> None:
    where = saved(trained(folder, 2), tmp_path, 2)
    again = stepper_of(loaded_toy(folder))
    restore(where, again)
    model = again.loaded.model
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    go_on(again, 3, 3)
    assert torch.equal(model.lm_head.weight, model.model.embed_tokens.weight)


def test_the_fp16_scale_and_the_count_of_skips_are_restored(folder: Path, tmp_path: Path) -> None:
    stepper = stepper_of(loaded_toy(folder), Precision.FP16)
    stepper.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24, growth_interval=3)
    go_on(stepper, 1, 2)
    where = saved(stepper, tmp_path, 2)
    assert stepper.skipped_steps > 0
    again = stepper_of(loaded_toy(folder), Precision.FP16)
    restore(where, again)
    assert again.skipped_steps == stepper.skipped_steps
    assert again.scaler.state_dict() == stepper.scaler.state_dict()
    assert go_on(again, 3, 6) == go_on(stepper, 3, 6)
    assert again.scaler.state_dict() == stepper.scaler.state_dict()
    assert_same_bits(weights(again), weights(stepper))


def test_restored_state_does_not_hold_its_file_open(folder: Path, tmp_path: Path) -> None:
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("open files are listed on Linux only")
    where = saved(trained(folder, 2), tmp_path, 2)
    again = stepper_of(loaded_toy(folder))
    restore(where, again)
    assert str(where) not in maps.read_text(encoding="utf-8")


def test_only_safetensors_and_text_are_written(folder: Path, tmp_path: Path) -> None:
    where = saved(trained(folder, 1), tmp_path, 1)
    assert {p.suffix for p in where.iterdir()} <= {".safetensors", ".json", ".jinja", ".txt"}
    assert [p.name for p in tmp_path.iterdir()] == ["step-000001"]
    named = json.loads((where / "manifest.json").read_text(encoding="utf-8"))
    assert {*named, "manifest.json"} == {p.name for p in where.iterdir()}


def damage_byte(where: Path) -> None:
    path = where / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut_off(where: Path) -> None:
    path = where / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def lose_manifest(where: Path) -> None:
    (where / "manifest.json").unlink()


def lose_optimizer(where: Path) -> None:
    (where / "optimizer.safetensors").unlink()


def empty_manifest(where: Path) -> None:
    (where / "manifest.json").write_bytes(b"")


@pytest.mark.parametrize(
    "damage", [damage_byte, cut_off, lose_manifest, lose_optimizer, empty_manifest]
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(
    folder: Path, tmp_path: Path, damage: Any
) -> None:
    stepper = trained(folder, 1)
    older, newer = saved(stepper, tmp_path, 3), saved(stepper, tmp_path, 5)
    assert newest(tmp_path, NAME).folder == newer
    damage(newer)
    found = newest(tmp_path, NAME)
    assert (found.folder, found.step, found.incomplete) == (older, 3, ("step-000005",))


def test_a_save_that_was_killed_is_named_and_not_used(folder: Path, tmp_path: Path) -> None:
    whole = saved(trained(folder, 1), tmp_path, 3)
    shutil.copytree(whole, tmp_path / ".step-000004.tmp")
    found = newest(tmp_path, NAME)
    assert (found.folder, found.incomplete) == (whole, (".step-000004.tmp",))


def test_a_checkpoint_of_another_training_is_not_used(folder: Path, tmp_path: Path) -> None:
    saved(trained(folder, 1), tmp_path, 3, identity="another")
    found = newest(tmp_path, NAME)
    assert (found.folder, found.step, found.incomplete) == (None, 0, ())
    assert found.others == ("step-000003",)


def test_no_checkpoint_is_the_beginning(tmp_path: Path) -> None:
    assert newest(tmp_path, NAME) == checkpoint.Found(None, 0, ())


def test_weights_without_an_optimizer_verify_and_are_not_resumed(
    folder: Path, tmp_path: Path
) -> None:
    stepper = trained(folder, 1)
    resumable, scored = saved(stepper, tmp_path, 3), saved(stepper, tmp_path, 5)
    before = (scored / "model.safetensors").read_bytes()
    drop_optimizer(scored)
    assert not (scored / "optimizer.safetensors").exists()
    assert (scored / "model.safetensors").read_bytes() == before
    assert verified(scored)
    assert newest(tmp_path, NAME) == checkpoint.Found(resumable, 3, ())
    drop_optimizer(scored)  # a second time there is nothing to do
    assert verified(scored)


def test_an_optimizer_that_the_manifest_gave_up_is_not_resumed_and_goes(
    folder: Path, tmp_path: Path
) -> None:
    """A kill between the two halves of giving it up leaves it there, unnamed."""
    stepper = trained(folder, 1)
    resumable, scored = saved(stepper, tmp_path, 3), saved(stepper, tmp_path, 5)
    moments = (scored / "optimizer.safetensors").read_bytes()
    drop_optimizer(scored)
    (scored / "optimizer.safetensors").write_bytes(moments[:-100])
    assert newest(tmp_path, NAME) == checkpoint.Found(resumable, 3, ())
    drop_optimizer(scored)
    assert not (scored / "optimizer.safetensors").exists()
    assert verified(scored)


def test_too_little_room_is_noticed_before_anything_is_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stepper = trained(folder, 1)
    older = saved(stepper, tmp_path, 3)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 1000))
    with pytest.raises(DiskFull, match="2 times that must be free and 0 MiB is"):
        saved(stepper, tmp_path, 5)
    assert [p.name for p in tmp_path.iterdir()] == [older.name]
    assert verified(older)


@pytest.mark.parametrize(("free", "enough"), [(1.9, False), (2.1, True)])
def test_a_save_wants_twice_the_room_that_it_takes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, enough: bool
) -> None:
    stepper = trained(folder, 1)
    takes = folder_bytes(saved(stepper, tmp_path, 3))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, int(free * takes)))
    if enough:
        assert verified(saved(stepper, tmp_path, 5))
    else:
        with pytest.raises(DiskFull):
            saved(stepper, tmp_path, 5)


@pytest.mark.parametrize("filled", ["by the weights", "by the optimizer"])
def test_a_disk_that_fills_up_while_saving_leaves_what_was_there(
    folder: Path, tmp_path: Path, filled: str
) -> None:
    """A real limit on file sizes: the library that writes meets it as it would a full disk."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    stepper = trained(folder, 1)
    older = saved(stepper, tmp_path, 3)
    optimizer = (older / "optimizer.safetensors").stat().st_size
    largest = {"by the weights": 10_000, "by the optimizer": optimizer - 9}[filled]
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    try:
        with pytest.raises(DiskFull, match="checkpoint not written"):
            saved(stepper, tmp_path, 5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert [p.name for p in tmp_path.iterdir()] == [older.name]
    assert newest(tmp_path, NAME).folder == older


def test_a_checkpoint_is_a_folder_that_transformers_loads(folder: Path, tmp_path: Path) -> None:
    loaded = loaded_toy(folder)
    adopt_template(loaded, Supervision.CONTENT)
    stepper = stepper_of(loaded)
    go_on(stepper, 1, 2)
    where = saved(stepper, tmp_path, 2)
    model = AutoModelForCausalLM.from_pretrained(where, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(where, local_files_only=True)
    assert_same_bits(model.state_dict(), weights(stepper))
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert tokenizer.eos_token_id == end
    assert model.config.eos_token_id == end
    assert end in model.generation_config.eos_token_id
    assert tokenizer.chat_template == chat_template(Supervision.CONTENT)
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "hello"}], add_generation_prompt=True, return_dict=False
    )
    assert asked == loaded.codec.render_prompt("hello")


def test_sampling_habits_of_the_base_model_do_not_stop_a_checkpoint(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "base")
    path = tmp_path / "base" / "generation_config.json"
    habits = {"do_sample": False, "temperature": 0.5, "repetition_penalty": 1.3}
    path.write_text(
        json.dumps(json.loads(path.read_text(encoding="utf-8")) | habits), encoding="utf-8"
    )
    stepper = stepper_of(loaded_toy(tmp_path / "base"))
    where = saved(stepper, tmp_path / "out", 1)
    kept = json.loads((where / "generation_config.json").read_text(encoding="utf-8"))
    assert not {"temperature", "repetition_penalty"} & {*kept}


def test_how_far_weights_moved_is_relative_to_where_they_began(folder: Path) -> None:
    loaded = loaded_toy(folder)
    assert checkpoint.weights_moved(folder, loaded.model) == 0.0
    with torch.no_grad():
        for parameter in loaded.model.parameters():
            parameter.mul_(1.01)
    assert checkpoint.weights_moved(folder, loaded.model) == pytest.approx(0.01, rel=1e-3)


def test_a_folder_that_lacks_weights_is_refused_instead_of_filled_with_noise(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "short")
    model = loaded_toy(folder).model
    some = {k: v for k, v in model.state_dict().items() if ".1.mlp" not in k and "lm_head" not in k}
    save_file(some, tmp_path / "short" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"lacks 3 weights of its model \(model\.layers\.1\.mlp"):
        load(tmp_path / "short", torch.device("cpu"), Supervision.CONTENT)


def test_a_truncated_weights_file_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "torn")
    path = tmp_path / "torn" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(BadInput, match="cannot be loaded") as refused:
        load(tmp_path / "torn", torch.device("cpu"), Supervision.CONTENT)
    assert "\n" not in str(refused.value)
