"""Two chat files as one: the share that is asked for holds, a seed says which rows are in it."""

import json
from collections import Counter
from pathlib import Path

import pytest

from autotune.data.load import load_conversations
from autotune.data.mixture import Mixture, mixed_counts, mixture
from autotune.protocol.plan import DataSpec


def chat(text: str, **more: object) -> str:
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": f"{text}!"}]
    return json.dumps({"messages": turns, **more}) + "\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[DataSpec, DataSpec]:
    """Ten conversations of its own; thirty of the run's in another format, one bad, one of none."""
    own = tmp_path / "own.jsonl"
    own.write_text("".join(chat(f"own {at}") for at in range(10)), encoding="utf-8")
    rows = [{"instruction": f"run {at}", "output": "so", "loss": at > 0} for at in range(31)]
    run = tmp_path / "run.jsonl"
    text = "".join(json.dumps(row) + "\n" for row in rows) + "no JSON\n"
    run.write_text(text, encoding="utf-8")
    specs = (DataSpec(path=str(path), format="auto", skip_bad=1) for path in (own, run))
    first, second = specs
    return first, second


def mixed(files: tuple[DataSpec, DataSpec], share: float, most: int | None = None) -> Mixture:
    return mixture(*files, share=share, seed=7, most=most)


def origins(text: str) -> Counter[str]:
    """How many rows come from which file."""
    rows = map(json.loads, text.splitlines())
    return Counter("run" if "output" in row else "own" for row in rows)


@pytest.mark.parametrize(
    ("own", "others", "share", "most", "counts"),
    [
        (10, 1000, 0.5, None, (10, 10)),
        (10, 1000, 0.25, None, (10, 30)),
        (10, 4, 0.5, None, (4, 4)),  # the run's are too few: the share holds, with less of its own
        (900, 100, 0.75, None, (300, 100)),
        (10, 1000, 0.5, 12, (6, 6)),
        (3, 1000, 0.3, None, (3, 7)),  # 3 / 0.3 is more than ten in floating point
        (10, 1000, 0.01, 2, (1, 1)),
        (10, 1000, 0.5, 1, (1, 0)),
        (1, 1, 0.9, None, (1, 0)),
    ],
)
def test_the_share_holds_whichever_data_is_short(
    own: int, others: int, share: float, most: int | None, counts: tuple[int, int]
) -> None:
    assert mixed_counts(own, others, share, most) == counts


def test_a_mixture_has_the_share_of_its_own_and_the_rest_is_drawn(
    files: tuple[DataSpec, DataSpec], tmp_path: Path
) -> None:
    made = mixed(files, 0.5)
    assert (made.own, made.others) == (10, 10)
    assert origins(made.text) == {"own": 10, "run": 10}
    drawn = {
        row["instruction"] for row in map(json.loads, made.text.splitlines()) if "output" in row
    }
    assert drawn != {f"run {at}" for at in range(1, 11)}, "not simply the first ones"
    assert "run 0" not in drawn, "nothing of it is supervised, so it is no conversation"
    halves = made.text.splitlines(keepends=True)
    assert set(origins("".join(halves[:10]))) == {"own", "run"}, "not one after the other"
    path = tmp_path / "mixed.jsonl"
    path.write_text(made.text, encoding="utf-8")
    read = load_conversations(DataSpec(path=str(path), format="auto"))
    assert len(read.conversations) == 20 and not read.dropped


def test_the_same_seed_gives_the_same_file_and_another_one_another(
    files: tuple[DataSpec, DataSpec],
) -> None:
    assert mixed(files, 0.5) == mixed(files, 0.5)
    assert mixture(*files, share=0.5, seed=8, most=None).text != mixed(files, 0.5).text


def test_rows_with_a_scored_prompt_are_left_out_before_anything_is_drawn(
    files: tuple[DataSpec, DataSpec], tmp_path: Path
) -> None:
    prompts = tmp_path / "prompts.jsonl"
    lines = (json.dumps({"key": at, "prompt": f"own {at}"}) for at in range(6))
    prompts.write_text("\n".join(lines), encoding="utf-8")
    first, second = (f.model_copy(update={"drop_prompts": str(prompts)}) for f in files)
    made = mixture(first, second, share=0.5, seed=7, most=None)
    assert (made.own, made.others) == (4, 4)
    assert "own 5" not in made.text


def test_a_record_stays_what_it_is_and_reads_alike_in_the_mixture(tmp_path: Path) -> None:
    odd, plain = tmp_path / "odd.jsonl", tmp_path / "plain.jsonl"
    # Two formats' keys in one record: a named format says which, in the mixture as well.
    record = {
        "conversations": [{"from": "human", "value": "no"}, {"from": "gpt", "value": "no"}],
        "instruction": "line\u2028break",
        "output": "ja, schön",
        "note": "\ud800",
    }
    odd.write_text(json.dumps(record) + "\n", encoding="utf-8")
    plain.write_text(chat("plain", practice={"task": 1}), encoding="utf-8")
    named = DataSpec(path=str(odd), format="alpaca")
    made = mixture(DataSpec(path=str(plain), format="auto"), named, share=0.5, seed=1, most=None)
    path = tmp_path / "mixed.jsonl"
    path.write_text(made.text, encoding="utf-8")
    read = load_conversations(DataSpec(path=str(path), format="auto"))
    said = {c.messages[0].content: c.messages[1].content for c in read.conversations}
    assert said == {"plain": "plain!", "line\u2028break": "ja, schön"}
    assert '"practice": {"task": 1}' in made.text and "\u2028" not in made.text
