"""Practice data in a run folder: the same whatever interrupted it, and none of it scored."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from autotune.base import files
from autotune.base.errors import BadInput, EnvironmentFault
from autotune.config.synth import SynthChoice
from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.protocol.failure import Failure
from autotune.protocol.job import GenerateJob, Job
from autotune.run import practice
from autotune.run.folder import RunDir
from autotune.run.practice import ASKED, CHATS, make_practice
from autotune.run.setup import Setup
from autotune.score.answers import Answer, read_answers
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.ifeval.scorer import IFEval
from autotune.score.prompts import Prompt, written_prompts
from autotune.synth.card_file import CARD, README
from tests import setups
from tests.setups import Played, crashed, done, failed
from tests.sources.test_model import safetensors

# Its answers are plain sentences, whatever is asked for: a poem, a conversation.
CHOICE = SynthChoice(
    tasks=2, variants=2, samples=2, held_out_kinds=2, max_new_tokens=64, refuse_unasked=False
)
ANSWERS = CHOICE.tasks * CHOICE.samples

SUBJECTS = ("harbour", "orchard", "lantern", "station", "glacier", "library", "market", "violin")
LOOKS = ("green", "narrow", "quiet", "sunny", "wooden", "distant", "famous", "crowded")


def text_for(key: int, sample: int) -> str:
    """Twelve plain sentences of enough different words, others for every prompt and sample."""
    names = [SUBJECTS[(key + sample + turn) % len(SUBJECTS)] for turn in range(12)]
    return " ".join(
        f"The {LOOKS[turn % len(LOOKS)]} {name} number {key + turn + sample} keeps {turn + 2}"
        f" visitors warm in month {turn}."
        for turn, name in enumerate(names)
    )


@dataclass
class Answering:
    """A worker that writes what is missing; `ends` says of each worker how, and after how many."""

    ends: list[tuple[int, Played]] = field(default_factory=list)
    jobs: list[GenerateJob] = field(default_factory=list)

    def __call__(self, job: Job) -> Played:
        assert isinstance(job, GenerateJob) and job.sampling is not None
        self.jobs.append(job)
        out = Path(job.out)
        there = {(a.key, a.sample) for a in read_answers(out)} if out.exists() else set()
        most, ending = self.ends.pop(0) if self.ends else (10**6, ([], done()))
        asked = written_prompts(Path(job.prompts), Prompt)
        left = [
            (prompt, number)
            for prompt in asked
            for number in range(job.sampling.samples)
            if (prompt.key, number) not in there
        ][:most]
        with out.open("a", encoding="utf-8") as file:
            for prompt, number in left:
                answer = Answer(
                    key=prompt.key,
                    prompt=prompt.prompt,
                    response=text_for(prompt.key, number),
                    finish="stop",
                    new_tokens=100,
                    sample=number,
                )
                file.write(answer.model_dump_json() + "\n")
        return ending


@dataclass
class Interrupting:
    """A screen in front of which somebody presses Ctrl-C as soon as it shows the n-th record."""

    at: int

    def on_record(self, record: Record) -> None:
        self.at -= 1
        if self.at == 0:
            raise KeyboardInterrupt


def asked_setup(folder: Path, prompts: Path | None = None) -> Setup:
    """A setup on a model folder of a few weights."""
    model = folder.parent / "weights"
    model.mkdir(exist_ok=True)
    (model / "model.safetensors").write_bytes(safetensors())
    return replace(setups.setup(setups.profile(), folder=model), prompts_file=prompts)


def made(
    folder: Path,
    script: Callable[[Job], Played],
    choice: SynthChoice = CHOICE,
    *,
    view: Interrupting | None = None,
    prompts: Path | None = None,
) -> Path:
    """Practice data made in a run folder, to its end or to what ends it before."""
    session, _ = setups.session(folder, script)
    session.view = view
    setup = asked_setup(folder, prompts)
    where = session.rundir.practice_folder("E")
    return make_practice(session, setup, setup.model_folder, choice, where)


def content(chats: Path) -> dict[str, bytes]:
    """All that is made, by the names of the files."""
    names = (CHATS, CARD, README, ASKED, "prompts.jsonl")
    return {name: (chats.parent / name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    found = content(made(tmp_path_factory.mktemp("whole") / "run", Answering()))
    assert found[CHATS].count(b"\n") >= CHOICE.tasks
    return found


@pytest.mark.parametrize("at", range(1, 7))
def test_practice_data_that_was_interrupted_anywhere_is_the_same_in_the_end(
    tmp_path: Path, undisturbed: dict[str, bytes], at: int
) -> None:
    """Records: the start, three of a worker that goes on answering, the choice, the end."""
    answered = at - 1 if at < 5 else ANSWERS
    worker = Answering([(answered, ([events.Phase(name="loading"), said(1), said(2)], done()))])
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "run", worker, view=Interrupting(at))
    assert content(made(tmp_path / "run", Answering())) == undisturbed


def test_a_worker_that_ends_well_before_its_work_is_done_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"lacks 2 answers of 4, .* same command again"):
        made(tmp_path / "run", Answering([(2, ([], done()))]))


@pytest.mark.parametrize("at", [2, 5])
def test_a_disk_that_is_full_at_any_file_leaves_nothing_that_another_start_is_misled_by(
    tmp_path: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    written: list[Path] = []

    def full(path: Path, text: str) -> None:
        written.append(path)
        if len(written) == at:
            raise EnvironmentFault(f"{path}: cannot be written (no space left)")
        files.write_text_atomic(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(practice, "write_text_atomic", full)
        with pytest.raises(EnvironmentFault, match="no space left"):
            made(tmp_path / "run", Answering())
    assert content(made(tmp_path / "run", Answering())) == undisturbed


def said(answered: int) -> events.Answered:
    return events.Answered(done=answered, total=ANSWERS, new_tokens=100 * answered, seconds=1.0)


def test_a_worker_that_dies_is_replaced_and_one_without_memory_by_a_smaller_batch(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    full = failed(Failure.OUT_OF_MEMORY, "out of memory", "generation")
    worker = Answering([(2, ([], crashed())), (1, ([], full))])
    assert content(made(tmp_path / "run", worker)) == undisturbed
    assert [job.batch_size for job in worker.jobs] == [8, 8, 4]
    assert all("practice" in w for w in warned(tmp_path / "run"))


def warned(folder: Path) -> list[str]:
    found = (record.event for record in RunDir(folder).records())
    return [event.message for event in found if isinstance(event, events.Warned)]


def test_a_worker_that_never_answers_is_a_line_and_no_third_one_is_started(tmp_path: Path) -> None:
    worker = Answering([(0, ([], crashed()))] * 5)
    with pytest.raises(EnvironmentFault, match="practice: not all prompts were answered"):
        made(tmp_path / "run", worker)
    assert len(worker.jobs) == 2
    refused = failed(Failure.BAD_JOB, "model weights: has no tokenizer", "loading")
    with pytest.raises(BadInput, match="model weights: has no tokenizer"):
        made(tmp_path / "other", Answering([(0, ([], refused))]))


def test_what_is_made_is_not_made_again_and_what_was_harmed_needs_no_worker(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    worker = Answering()
    chats = made(tmp_path / "run", worker)
    record = RunDir(tmp_path / "run").events.read_bytes()
    assert made(tmp_path / "run", worker) == chats
    assert RunDir(tmp_path / "run").events.read_bytes() == record
    chats.write_text("{}\n", encoding="utf-8")
    (chats.parent / ASKED).unlink()
    assert content(made(tmp_path / "run", worker)) == undisturbed
    assert len(worker.jobs) == 1


def test_more_tasks_and_samples_are_asked_without_asking_the_first_again(tmp_path: Path) -> None:
    more = CHOICE.model_copy(update={"tasks": 3, "samples": 3})
    worker = Answering()
    made(tmp_path / "run", worker)
    before = (tmp_path / "run" / "practice" / "E" / "responses.jsonl").read_bytes()
    grown = made(tmp_path / "run", worker, more)
    assert (grown.parent / "responses.jsonl").read_bytes().startswith(before)
    assert content(grown) == content(made(tmp_path / "new", Answering(), more))


def test_answers_to_other_prompts_are_not_taken_for_these(tmp_path: Path) -> None:
    where = made(tmp_path / "run", Answering()).parent
    answers = (where / "responses.jsonl").read_text(encoding="utf-8").splitlines()
    other = json.loads(answers[0]) | {"prompt": "Name a river."}
    (where / "responses.jsonl").write_text(json.dumps(other) + "\n", encoding="utf-8")
    (where / CHATS).unlink()
    with pytest.raises(BadInput, match=r"answers another prompt 0 than is asked now.*--run-dir"):
        made(tmp_path / "run", Answering())


def test_every_chat_follows_its_prompt_and_asks_for_no_kind_that_is_held_out(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    card = json.loads(undisturbed[CARD])
    assert len(card["held_out_kinds"]) == CHOICE.held_out_kinds
    rows = [json.loads(line) for line in undisturbed[CHATS].splitlines()]
    assert card["counts"]["kept"] == len(rows)
    assert "tokens_per_second" not in undisturbed[README].decode("utf-8")
    for row in rows:
        question, answer = (turn["content"] for turn in row["messages"])
        made_of = row["practice"]
        names = ("key", "instruction_id_list", "kwargs")
        asked = IFEvalPrompt.model_validate_json(
            json.dumps({"prompt": question} | {name: made_of[name] for name in names})
        )
        assert IFEval().passes(asked, answer)
        assert not set(made_of["instruction_id_list"]) & set(card["held_out_kinds"])


def test_a_prompt_that_is_nearly_a_scored_one_is_not_asked(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    composed = [json.loads(line) for line in undisturbed["prompts.jsonl"].splitlines()]
    first = (each for each in composed if each["variant"] == 0)
    scored = max(first, key=lambda each: len(each["prompt"]))
    again = {
        "key": 9,
        "prompt": f"Please: {scored['prompt'].upper()}",
        "instruction_id_list": [],
        "kwargs": [],
    }
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text(json.dumps(again) + "\n", encoding="utf-8")
    worker = Answering()
    chats = made(tmp_path / "run", worker, prompts=prompts)
    keys = {each.key for each in written_prompts(chats.parent / ASKED, Prompt)}
    assert scored["key"] not in keys
    assert json.loads((chats.parent / CARD).read_bytes())["near_copies"] == 1
    started = next(r.event for r in RunDir(tmp_path / "run").records())
    assert isinstance(started, events.PracticeStarted) and started.near_copies == 1
