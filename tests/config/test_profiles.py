"""Profiles as a person writes them: what is accepted, and what is said about what is not."""

from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.base.sizes import MIB
from autotune.cli.settings import settings_text
from autotune.config.load import (
    find_profile,
    list_profiles,
    pick_profile,
    profile_path,
    profiles_folder,
    read_profile,
)
from autotune.config.profile import Profile
from autotune.device.find import Device
from autotune.protocol.choices import Precision

SHIPPED = ["cpu-demo", "cpu-proof", "cpu-smoke", "cpu-smollm2", "nvidia", "rtx4060-laptop-8gb"]

SMOKE = (profiles_folder() / "cpu-smoke.toml").read_text(encoding="utf-8")


def faults(folder: Path, text: str | bytes) -> list[str]:
    """The lines of the error that reading this profile raises."""
    path = folder / "my.toml"
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    with pytest.raises(BadInput) as caught:
        read_profile(path)
    return str(caught.value).splitlines()


def changed(*changes: tuple[str, str]) -> str:
    """The smoke profile with each first occurrence replaced."""
    text = SMOKE
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def device(kind: str) -> Device:
    return Device(kind, "some device", 0, None, 8 * 2**30, None, None)  # type: ignore[arg-type]


def test_every_shipped_profile_is_valid_and_named_after_its_file() -> None:
    profiles = list_profiles()
    assert [p.name for p in profiles] == SHIPPED
    assert all(profile_path(p.name).stem == p.name for p in profiles)
    assert all(p.strategies[-1].fallback and p.strategies[-1].name == "minimum" for p in profiles)


def test_the_8_gb_card_gets_the_strategies_of_the_guide_in_order() -> None:
    profile = find_profile("rtx4060-laptop-8gb")
    rows = [
        (
            s.name,
            s.learning_rate,
            s.num_train_epochs,
            s.batch_size,
            s.model_max_length,
            s.max_rounds,
            s.weight_decay,
            s.warmup_ratio,
            s.lr_scheduler_type,
            s.fallback,
        )
        for s in profile.strategies
    ]
    assert rows == [
        ("A", 4e-5, 5, 64, 1024, 6, 0.0, 0.2, "cosine", False),
        ("B", 6e-5, 6, 48, 768, 8, 0.02, 0.2, "cosine", False),
        ("C", 3e-4, 3, 32, "fits", "all", 0.01, 0.1, "cosine", False),
        ("D", 5e-4, 3, 128, "fits", "all", 0.01, 0.1, "cosine", False),
        ("minimum", 4e-5, 5, 32, 512, 4, 0.0, 0.2, "cosine", True),
    ]
    assert profile.machine.precision is Precision.FP16
    assert profile.train.checkpoint_fractions == (0.8, 0.85, 0.9, 0.95, 1.0)
    assert [s.average_checkpoints for s in profile.strategies] == [0, 0, 3, 3, 0]
    assert profile.model.source == "HuggingFaceTB/SmolLM2-135M"
    assert profile.data.source == "PeterV09/smol-smoltalk-6k"
    assert (profile.prompts.source, profile.prompts.limit) == ("ifeval", "all")


def test_a_profile_may_say_how_practice_data_is_made_and_need_not(tmp_path: Path) -> None:
    asked = find_profile("cpu-smoke").synth
    assert (asked.tasks, asked.variants, asked.samples, asked.held_out_kinds) == (600, 3, 1, 3)
    table = "[synth]\ntasks = 40\nmax_conversations = 100\n\n[[strategy]]"
    path = tmp_path / "my.toml"
    path.write_text(changed(("[[strategy]]", table)), encoding="utf-8")
    mine = read_profile(path).synth
    assert (mine.tasks, mine.max_conversations, mine.temperature) == (40, 100, 0.7)
    wrong = "[synth]\ntask = 4\ntop_p = 1.5\ntemperature = 0\nmax_new_tokens = 8\n\n[[strategy]]"
    assert [line.strip() for line in faults(tmp_path, changed(("[[strategy]]", wrong)))[1:]] == [
        "synth.temperature = 0: must be greater than 0",
        "synth.top_p = 1.5: must be less than or equal to 1",
        "synth.max_new_tokens = 8: must be greater than or equal to 64",
        "synth.task: no such key; did you mean tasks?",
    ]


def test_the_profile_is_picked_from_the_machine() -> None:
    laptop = replace(device("cuda"), name="NVIDIA GeForce RTX 4060 Laptop GPU")
    assert pick_profile(replace(laptop, total_bytes=8188 * MIB)) == "rtx4060-laptop-8gb"
    assert pick_profile(device("cpu")) == "cpu-smollm2"


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("NVIDIA GeForce RTX 4060", 8188 * MIB),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 16376 * MIB),
        ("NVIDIA GeForce RTX 3050 Laptop GPU", 4096 * MIB),
        ("Tesla T4", 15360 * MIB),
        ("NVIDIA GeForce RTX 4060 Laptop GPU", None),
    ],
)
def test_another_card_gets_a_profile_that_claims_nothing_of_its_memory_or_make(
    name: str, total: int | None
) -> None:
    picked = pick_profile(replace(device("cuda"), name=name, total_bytes=total))
    profile = find_profile(picked)
    assert (profile.name, profile.title) == ("nvidia", "NVIDIA card")
    machine = profile.machine
    named = (machine.budget, machine.memory, machine.capability, machine.tflops)
    assert named == ("auto", None, None, None)


def test_both_profiles_for_cards_train_and_score_alike() -> None:
    of_laptop, of_any = find_profile("rtx4060-laptop-8gb"), find_profile("nvidia")
    assert of_laptop.watch is not None
    expected = of_laptop.model_copy(
        update={
            "name": of_any.name,
            "title": of_any.title,
            "machine": of_any.machine,
            "watch": of_laptop.watch.model_copy(update={"training_hours": None}),
        }
    )
    assert of_any == expected
    reserve = of_laptop.machine.reserve
    assert (of_any.machine.reserve, of_any.machine.precision) == (reserve, "auto")


def test_all_faults_of_a_file_are_reported_together_with_key_value_rule_and_nearest_key(
    tmp_path: Path,
) -> None:
    text = changed(
        ("learning_rate = 1e-3", 'learning_rate = "4e-5"'),
        ("weight_decay = 0.02", "weight_decay = nan"),
        ("num_train_epochs = 3", "num_train_epochs = inf"),
        ("seed = 42", "sed = 42"),
        ('precision = "fp32"', 'precision = "fp8"'),
        ('budget = "4GiB"', 'budget = "4"'),
        ("[0.8, 1.0]", "[0.9, 0.8]"),
        ("batch_size = 8\n", "batch_size = 8.0\n"),
        ("limit = 24 ", "limit = 0 "),
        ('name = "minimum"', 'name = "A"'),
    )
    first, *rest = faults(tmp_path, text)
    assert first == f"profile {tmp_path / 'my.toml'}: 11 faults"
    assert rest == [
        '  machine.budget = "4": must be a size such as 7.2GiB; did you mean 4GiB?',
        "  machine.precision = \"fp8\": must be 'auto' or 'fp16', 'bf16' or 'fp32'",
        "  prompts.limit = 0: must be greater than or equal to 1 or 'all'",
        "  train.checkpoint_fractions = [0.9, 0.8]: must rise from one to the next",
        "  train.seed: is missing; add it",
        "  train.sed: no such key; did you mean seed?",
        "  evaluate.batch_size = 8.0: must be a valid integer",
        '  strategy.A.learning_rate = "4e-5": must be a valid number; write 4e-5 without quotes',
        "  strategy.B.num_train_epochs = inf: must be a valid integer",
        "  strategy.B.weight_decay = nan: must be a finite number",
        '  strategy: "A" is there twice: names must differ',
    ]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("max_length = 256 ", "max_length = 0 ", "probe.max_length = 0: must be greater than"),
        ("min_length = 64 ", "min_length = 512 ", "probe.max_length = 256: must be at least min_"),
        ("min_length = 64 ", "min_length = 65 ", "probe.min_length = 65: must be a multiple of 64"),
        ('device = "cpu"', 'device = "gpu"', "machine.device"),
        ('device = "cpu"', "device = 2026-01-01", "machine.device"),
        ("[0.8, 1.0]", "[0.8, 1.1]", "train.checkpoint_fractions.2 = 1.1: must be less than or"),
        ("[0.8, 1.0]", "[]", "train.checkpoint_fractions = []"),
        (
            "min_stop = 0.8",
            'min_stop = "80%"',
            'min_stop = "80%": must be a valid number; write 0.8',
        ),
        ("min_stop = 0.8", "min_stop = 1.5", "min_stop = 1.5: must be a share from 0 to 1"),
        ("max_rounds = 2", "max_rounds = 0", "strategy.A.max_rounds = 0: must be greater than or"),
        ("max_rounds = 2", 'max_rounds = "six"', "strategy.A.max_rounds = "),
        ("model_max_length = 256", "model_max_length = 7", "strategy.A.model_max_length = 7: must"),
        ('title = "steady"', "average_checkpoints = 1", "A.average_checkpoints = 1: must be 0 or"),
        ('title = "steady"', "fallback = true", "the first must not be a fallback"),
        ('name = "A"', 'name = ""', "strategy.1.name"),
        ('title = "steady"', "search = { lr = [1e-5, 1e-4] }", "A.search.lr: must be one of learn"),
        ('title = "steady"', "search = { warmup_ratio = [0.3, 0.2] }", "warmup_ratio = [0.3, 0.2]"),
        (
            'title = "steady"',
            "search = { learning_rate = [0.9, 0.95] }",
            "must lie within its own search.learning_rate, [0.9, 0.95]",
        ),
        (
            'title = "steady"',
            'search = { batch_size = [8, "many"] }',
            'A.search.batch_size = [8, "many"]: must hold values that batch_size can have',
        ),
        ('title = "steady"', "search = { num_train_epochs = [3] }", "a lowest and a highest whole"),
        ('name = "A"', 'name = "search"', '"search" is the name of what follows the strategies'),
        (
            "[evaluate]",
            "[study.search.space]\nweight_decay = [0.0, 0.1]\n[evaluate]",
            "  study: a search ends by max_hours or max_trials: set one of them",
        ),
        ("[evaluate]", "[study]\nmax_hour = 3\n[evaluate]", "did you mean max_hours?"),
        ('[model]\nsource = "toy"\n', "", "model: is missing"),
        ("[machine]", "[machin]\n[machine]", "machin: no such key; did you mean machine?"),
    ],
)
def test_a_value_outside_its_bounds_is_refused_naming_its_key(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    first, *rest = faults(tmp_path, changed((old, new)))
    assert first.endswith(": 1 fault")
    assert line in rest[0]


def test_a_profile_without_strategies_is_refused(tmp_path: Path) -> None:
    text = SMOKE[: SMOKE.index("[[strategy]]")]
    assert faults(tmp_path, text)[1:] == ["  strategy: is missing; add it"]
    lines = faults(tmp_path, "strategy = []\n" + text)
    assert lines[1:] == ["  strategy = []: must hold at least one [[strategy]]"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SMOKE.replace("seed = 42", "seed = 42\nseed = 43"), "not TOML"),
        (SMOKE + "\n=\n", "not TOML"),
        (SMOKE.encode("utf-8") + b"# caf\xe9\n", f"not UTF-8 at byte {len(SMOKE.encode()) + 5}"),
        (SMOKE.encode("utf-16"), "not UTF-8 at byte 0"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_in_one_line(
    tmp_path: Path, text: str | bytes, told: str
) -> None:
    (line,) = faults(tmp_path, text)
    assert told in line


def test_a_file_saved_by_notepad_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bom.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SMOKE.replace("\n", "\r\n").encode("utf-8"))
    assert read_profile(path) == find_profile("cpu-smoke")


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(BadInput, match=r"cpu-smok: no such profile.*did you mean cpu-smoke\?"):
        find_profile("cpu-smok")


def test_a_profile_is_found_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(changed(('name = "cpu-smoke"', 'name = "mine"')), encoding="utf-8")
    assert find_profile(str(path)).name == "mine"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_profile_written_as_toml_reads_back_equal(tmp_path: Path, name: str) -> None:
    profile = find_profile(name)
    odd = Profile.model_validate_json(
        profile.model_dump_json(by_alias=True).replace(
            profile.title, 'a \\"b\\" \\\\ ü \\u007f \\n'
        )
    )
    path = tmp_path / "run.toml"
    for each in (profile, odd):
        path.write_text(settings_text(each), encoding="utf-8")
        assert read_profile(path) == each
