"""What a worker is told by the study, and what it is refused for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import BadInput
from autotune.cli.settings import settings_text
from autotune.protocol.events import Content
from autotune.study.shared.address import read_address
from autotune.study.shared.settings import (
    SharedSettings,
    demand_study_content,
    profile_of,
    read_settings,
    write_settings,
)
from autotune.study.shared.shared_study import SharedStudy, make_study
from tests import setups

BEGAN = Content(
    data={"chats.jsonl": "aaaaaaaa0"},
    prompts={"ifeval.jsonl": "bbbbbbbb0"},
    scored="cccccccc0",
    own_data={"C": {"more.jsonl": "99999999"}},
    model={"config.json": "dddddddd0", "model.safetensors": "eeeeeeee0"},
)
WANTED = SharedSettings(profile=settings_text(setups.profile()), target=0.25, content=BEGAN)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedStudy]:
    address = read_address(f"sqlite:///{tmp_path_factory.mktemp('settings')}/shared.db")
    yield (made := make_study(address, "s"))
    made.close()


def test_a_study_tells_what_it_was_begun_with_and_takes_no_other(study: SharedStudy) -> None:
    with pytest.raises(BadInput, match="holds no settings"):
        read_settings(study)
    write_settings(study, WANTED)
    write_settings(study, WANTED)
    assert read_settings(study) == WANTED
    profile = profile_of(study, WANTED)
    assert settings_text(profile) == WANTED.profile
    higher = WANTED.model_copy(update={"target": 0.3})
    with pytest.raises(BadInput, match=r"another target \(0.25, now 0.3\)"):
        write_settings(study, higher)
    other = WANTED.model_copy(update={"profile": WANTED.profile.replace("seed = 42", "seed = 43")})
    with pytest.raises(BadInput, match=r"other settings \(train.seed = 42, now 43\)"):
        write_settings(study, other)


def test_settings_in_another_order_are_the_same_and_damaged_ones_are_refused_in_a_line(
    tmp_path: Path,
) -> None:
    study = make_study(read_address(f"sqlite:///{tmp_path}/order.db"), "s")
    seed = "seed = 42\n"
    first, _, last = WANTED.profile.partition("[train]\n")
    ordered = f"{first}[train]\n{seed}{last.replace(seed, '', 1)}"
    assert ordered != WANTED.profile
    write_settings(study, WANTED.model_copy(update={"profile": ordered}))
    write_settings(study, WANTED)
    study.close()
    study = make_study(read_address(f"sqlite:///{tmp_path}/damaged.db"), "s")
    write_settings(study, WANTED.model_copy(update={"profile": "name ="}))
    with pytest.raises(BadInput, match="use the version that began it"):
        write_settings(study, WANTED)
    study.close()


def test_which_card_of_its_machine_computes_is_a_workers_own_matter(study: SharedStudy) -> None:
    text = WANTED.profile.replace('device = "cpu"', 'device = "cuda:3"')
    settings = WANTED.model_copy(update={"profile": text})
    assert profile_of(study, settings).machine.device == "cuda"


def test_the_settings_of_another_version_are_refused_in_a_line(study: SharedStudy) -> None:
    settings = WANTED.model_copy(update={"profile": WANTED.profile + "\n[unheard]\nof = 1\n"})
    with pytest.raises(BadInput, match="use the version that began it") as refused:
        profile_of(study, settings)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"data": {"mine.jsonl": "ffffffff0"}},
            "data mine.jsonl: .*aaaaaaaa, here ffffffff",
        ),
        ({"prompts": {"p.jsonl": "ffffffff0"}}, "prompts p.jsonl: .*with --prompts"),
        (
            {"own_data": {"C": {"more.jsonl": "ffffffff0"}}},
            "data of strategy C, more.jsonl: .*99999999, here ffffffff.*where the profile names it",
        ),
        ({"scored": "ffffffff0"}, "prompts chosen: .*cccccccc"),
        (
            {"model": {"config.json": "dddddddd0", "model.safetensors": "ffffffff0"}},
            "model model.safetensors: .*with --model",
        ),
        ({"model": {"config.json": "dddddddd0"}}, "model model.safetensors: .*here none"),
    ],
)
def test_other_content_is_refused_with_its_name(changed: dict[str, Any], said: str) -> None:
    now = BEGAN.model_copy(update=changed)
    with pytest.raises(BadInput, match=said):
        demand_study_content("s", BEGAN, now)


def test_the_same_content_by_another_name_is_the_same() -> None:
    demand_study_content("s", BEGAN, BEGAN.model_copy(update={"data": {"mine.jsonl": "aaaaaaaa0"}}))


def test_a_folder_of_a_study_is_no_runs_by_itself(tmp_path: Path) -> None:
    from autotune.cli.run_folder import demand_study, is_part
    from autotune.run.folder import RunDir
    from tests.study.test_tuner import started

    with RunDir(tmp_path / "monday") as rundir:
        event = started().model_copy(update={"study": "monday"})
        rundir.append(event, 1.79e9)
        found = {
            (shared, name): is_part(shared, name, rundir.root)
            for shared, name in ((False, None), (True, None), (True, "monday"), (True, "other"))
        }
        assert found == {
            (False, None): False,
            (True, None): True,
            (True, "monday"): True,
            (True, "other"): False,
        }
        with pytest.raises(BadInput, match="works at study monday; add --storage"):
            demand_study(event, None, rundir.root)
        with pytest.raises(BadInput, match="holds a run by itself"):
            demand_study(started(), "monday", rundir.root)
        demand_study(event, "monday", rundir.root)
