"""A line of practice data: training data like any other, that says where it comes from."""

import json
from pathlib import Path

from autotune.data.load import load_conversations
from autotune.protocol.plan import DataSpec
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.ifeval.scorer import IFEval
from autotune.synth.practice import Practice
from autotune.synth.record import PracticeRecord, practice_lines
from tests.synth.practised import COMMAS, NAPS, PILLOW, QUOTED, SLEEP, answer, practise, prompt

PROMPTS = (prompt(0, 0, COMMAS), prompt(0, 1, QUOTED, PILLOW))


def practice() -> Practice:
    answers = [answer(PROMPTS[0], NAPS), answer(PROMPTS[0], SLEEP, 1)]
    return practise(PROMPTS, answers[:1], seed=7, limit=None)


def written(folder: Path) -> Path:
    path = folder / "practice.jsonl"
    lines = "".join(practice_lines(practice().chats, model="demo", seed=7))
    path.write_text(lines, encoding="utf-8", newline="\n")
    return path


def test_it_is_read_as_training_data_and_there_is_nothing_to_say_of_it(tmp_path: Path) -> None:
    read = load_conversations(DataSpec(path=str(written(tmp_path)), format="auto", skip_bad=0))
    assert read.format == "messages"
    assert read.notes == ()
    assert [[m.content for m in c.messages] for c in read.conversations] == [
        [chat.prompt.prompt, chat.amended.text] for chat in practice().chats
    ]


def test_what_a_line_says_of_its_chat_is_enough_to_verify_it_again(tmp_path: Path) -> None:
    for line in written(tmp_path).read_text(encoding="utf-8").splitlines():
        record = PracticeRecord.model_validate_json(line)
        asked = IFEvalPrompt(
            key=record.practice.key,
            prompt=record.messages[0].content,
            instruction_id_list=record.practice.instruction_id_list,
            kwargs=record.practice.kwargs,
        )
        assert IFEval().passes(asked, record.messages[1].content)
        assert record.practice.verdict == "strict"


def test_a_line_says_who_answered_and_what_was_changed(tmp_path: Path) -> None:
    first, second = map(json.loads, written(tmp_path).read_text(encoding="utf-8").splitlines())
    own = {"model": "demo", "seed": 7, "sample": 0, "task": 0, "topic": "sleep", "form": "article"}
    assert own.items() <= first["practice"].items()
    assert (first["practice"]["as_sampled"], first["practice"]["edits"]) == (True, [])
    assert (second["practice"]["variant"], second["practice"]["as_sampled"]) == (1, False)
    assert second["practice"]["edits"] == [QUOTED[0]]
    assert second["practice"]["kwargs"] == [{}, {"keywords": ["pillow"]}]
