"""The trained-chats job: the very conversations that a plan trains on, in the order of its rows.

Who trains on them elsewhere reads them as text; `plain_row` is that reading in its shortest form,
and the rows that it does not give go along as token ids.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autotune.base.errors import BadInput
from autotune.base.files import write_bytes_atomic, write_text_atomic
from autotune.base.format import counted
from autotune.base.manifest import describe
from autotune.data.conversation import Conversation, Message
from autotune.data.load import load_conversations
from autotune.data.truncation import last_round, window
from autotune.protocol.choices import Supervision
from autotune.protocol.export_jobs import ExactRow, TrainedChats, TrainedChatsJob
from autotune.protocol.plan import TrainPlan
from autotune.worker.channel import Pipe
from autotune.worker.tokens.chatml import END, START, chat_template
from autotune.worker.tokens.encode import IGNORED, ChatCodec, Row
from autotune.worker.tokens.rows import row_of
from autotune.worker.tokens.tokenizer import load_tokenizer
from autotune.worker.train.held_out import split


def write_trained_chats(job: TrainedChatsJob, pipe: Pipe) -> None:
    """Write the conversations, and what a reader of them has to know.

    Raises:
        BadInput: the data is not what the run trained on.
    """
    pipe.enter("tokenizing")
    plan, folder = job.plan, Path(job.model_folder)
    demand_same_data(job)
    tokenizer = load_tokenizer(folder)
    codec = ChatCodec(tokenizer, plan.data.supervision)
    spec = plan.data.model_copy(
        update={"path": job.data_path, "drop_prompts": job.drop_prompts or plan.data.drop_prompts}
    )
    read = load_conversations(spec, no_tools=codec.tool_rows.no_tools)
    kept = kept_pairs(codec, read.conversations, plan)
    if len(kept) != plan.kept_conversations:
        raise BadInput(
            f"data {job.data_path}: keeps {counted(len(kept), 'conversation')}, the run trained on"
            f" {plan.kept_conversations}; put the file back that it had"
        )
    # By their places and families: `split` looks at nothing else, and they can be told apart so.
    places = [Row([at], [], kept[at][0].family) for at in range(len(kept))]
    trained, _ = split(places, plan.held_out, plan.seed)
    lines, exact = [], dict[int, ExactRow]()
    for number, place in enumerate(trained):
        conversation, row = kept[place.input_ids[0]]
        lines.append(json.dumps({"messages": turns_of(conversation)}, ensure_ascii=False))
        if plain_row(tokenizer, conversation, plan) != row:
            exact[number] = ExactRow(input_ids=tuple(row.input_ids), labels=tuple(row.labels))
    write_bytes_atomic(Path(job.out), "".join(f"{line}\n" for line in lines).encode("utf-8"))
    with_tools = any(c.uses_tools for c in read.conversations)
    own = codec.tool_rows.template if with_tools else None
    found = TrainedChats(
        conversations=len(lines),
        chat_template=chat_template(plan.data.supervision, own.source if own else ""),
        end_token=END,
        stop_ids=stop_ids(tokenizer, codec.end_id, folder),
        pad_token_id=codec.end_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
        exact=exact,
        with_tools=sum(kept[place.input_ids[0]][0].uses_tools for place in trained),
    )
    write_text_atomic(Path(job.found), found.model_dump_json())


def demand_same_data(job: TrainedChatsJob) -> None:
    """Refuse data that is gone, or is not that of the run.

    Raises:
        BadInput: that.
    """
    path = Path(job.data_path)
    if not path.is_file():
        raise BadInput(f"data {path}: no such file any more; put it back where the run had it")
    if job.data_sha256 is not None and describe(path)["sha256"] != job.data_sha256:
        raise BadInput(
            f"data {path}: is not what the run trained on any more (its sha256 is another); put"
            " the file back that it had"
        )


def kept_pairs(
    codec: ChatCodec, conversations: Sequence[Conversation], plan: TrainPlan
) -> list[tuple[Conversation, Row]]:
    """The conversations that the plan keeps, cut after its rounds, and their rows."""
    kept = []
    for conversation, found in zip(conversations, codec.encoded(conversations), strict=True):
        row = row_of(
            found,
            max_rounds=plan.max_rounds,
            model_max_length=plan.model_max_length,
            truncation=plan.data.truncation,
        )
        if row.supervised:
            rounds = last_round(found.spans, plan.max_rounds) + 1
            kept.append((shortened(conversation, rounds), row))
    return kept


def shortened(conversation: Conversation, rounds: int) -> Conversation:
    """Its first rounds, with the system prompt."""
    begins = [at for at, m in enumerate(conversation.messages) if m.role == "user"]
    if rounds >= len(begins):
        return conversation
    return replace(conversation, messages=conversation.messages[: begins[rounds]])


def turns_of(conversation: Conversation) -> list[dict[str, Any]]:
    """Its turns as other programs read them."""
    return [_turn(message) for message in conversation.messages]


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        turn["tool_calls"] = json.loads(message.calls)
    if message.name:
        turn["name"] = message.name
    if message.call_id:
        turn["tool_call_id"] = message.call_id
    return turn


def plain_row(tokenizer: Any, conversation: Conversation, plan: TrainPlan) -> Row:
    """The row as the exported script reads it: the text in one piece, answers by their headers.

    In `course` form the header and what stands behind an answer are supervised as well.
    """
    course = plan.data.supervision is Supervision.COURSE
    text = "\n" if course else ""
    for message in conversation.messages:
        text += f"{START}{message.role}\n{message.content}{END}\n"
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    header = tokenizer(f"{START}assistant\n", add_special_tokens=False)["input_ids"]
    start_id, end_id = tokenizer.convert_tokens_to_ids([START, END])
    labels = [IGNORED] * len(ids)
    for at in range(len(ids)):
        if ids[at : at + len(header)] == header and end_id in ids[at:]:
            begin, stop = at + len(header), ids.index(end_id, at) + 1
            if course:
                begin = at
                stop = ids.index(start_id, at + 1) if start_id in ids[at + 1 :] else len(ids)
            labels[begin:stop] = ids[begin:stop]
    low, high = window(len(ids), plan.model_max_length, plan.data.truncation)
    return Row(ids[low:high], labels[low:high])


def stop_ids(tokenizer: Any, end_id: int, folder: Path) -> tuple[int, ...]:
    """What a checkpoint of this training stops at: see `worker.model.all_stop_ids`."""
    named = {end_id}
    for name in ("generation_config.json", "config.json"):
        path = folder / name
        if path.is_file():
            eos = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id")
            named.update(eos if isinstance(eos, list) else [] if eos is None else [eos])
    vocabulary = tokenizer.get_vocab()
    for number in (tokenizer.eos_token_id, vocabulary.get("<|endoftext|>")):
        named.update([] if number is None else [int(number)])
    return tuple(sorted(named))
