"""Jobs on the way out: talk with a model, write it as GGUF, write what it was trained on."""

from typing import Annotated, Literal

from pydantic import Field

from autotune.base.model import Boundary
from autotune.protocol.choices import Supervision
from autotune.protocol.device_spec import DeviceSpec
from autotune.protocol.plan import TrainPlan


class Turn(Boundary):
    """One turn of a talk with a person."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatJob(Boundary):
    """Answer the last of these turns greedily, as an evaluation would, a piece of text at a time.

    A worker keeps the model for the next job. Where the turns and `max_new_tokens` of answer are
    more than the model has positions for, the oldest rounds are left out. Once a file `stop_file`
    is there, the answer ends where it is.
    """

    job: Literal["chat"] = "chat"
    device: DeviceSpec
    model_folder: str
    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]
    max_new_tokens: Annotated[int, Field(ge=1)]
    prefill_tokens: Annotated[int, Field(ge=1)]
    stop_file: str
    supervision: Supervision = Supervision.CONTENT


GgufType = Literal["f16", "q8_0", "f32"]
"""How the matrices of a GGUF file are stored; norms are fp32 in each."""


class GgufJob(Boundary):
    """Write a model folder as the GGUF file `out`, read it back, and compare what both say.

    What was found goes to the file `found`, as a `GgufFound`.
    """

    job: Literal["gguf"] = "gguf"
    device: DeviceSpec
    model_folder: str
    type: GgufType
    name: str
    out: str
    found: str
    supervision: Supervision = Supervision.CONTENT


class ChatForm(Boundary):
    """ChatML as a chat template writes it.

    `lead` stands before everything, `system` is the prompt where a conversation has none of its
    own, "" where then there is none.
    """

    lead: str = ""
    system: str = ""


class GgufFound(Boundary):
    """What the exported file says beside its source.

    Over `tokens` positions of a few texts the logits differ by `max_error` at most, and by
    `mean_error` on average, where the source's reach from -`largest` to `largest`; at `same_choice`
    (0..1) of them both hold the same token for the likeliest. `same_tokens` says whether the
    vocabulary read back makes the same tokens of these texts, None where it has no merges, which
    readers of GGUF ask for. `form` is the chat template where it
    is ChatML, and `stop` are the texts of the tokens that end an answer.
    """

    tokens: int
    max_error: float
    mean_error: float
    largest: float
    same_choice: float
    same_tokens: bool | None
    form: ChatForm | None
    stop: tuple[str, ...]


class TrainedChatsJob(Boundary):
    """Write the conversations that a plan trains on to `out`, one a line, in the order of its rows.

    Each is cut after the plan's rounds. In place of the plan's model and data, those at
    `model_folder` and `data_path` are taken, and `drop_prompts` for its prompts: see `TrainJob`.
    Rows that a plain reading of the text does not give (`plain_rows`) go to `found`, as
    `TrainedChats`.
    """

    job: Literal["trained_chats"] = "trained_chats"
    device: DeviceSpec
    plan: TrainPlan
    model_folder: str
    data_path: str
    drop_prompts: str | None = None
    data_sha256: str | None = None
    out: str
    found: str


class ExactRow(Boundary):
    """Token ids of a conversation as the training had them, and the labels (-100: none)."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]


class TrainedChats(Boundary):
    """What was written: how many conversations, the chat template and what ends an answer.

    `exact` are the rows, by their place from 0, that a plain reading of the text does not give.
    `with_tools` conversations have tools, a call or a result.
    """

    conversations: int
    with_tools: int = 0
    chat_template: str
    end_token: str
    stop_ids: tuple[int, ...]
    pad_token_id: int
    exact: dict[int, ExactRow] = {}
