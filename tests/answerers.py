"""Workers that answer prompts one by one, and runs of two checkpoints that they answer for."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from autotune.base.files import write_text_atomic
from autotune.config.profile import Profile
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import GenerateJob, Job
from autotune.run.session import Session
from autotune.score.answers import Answer, read_answers
from autotune.score.early_verdicts import DecidedLine, decided_file, read_decided
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.ifeval.scorer import IFEval
from autotune.score.prompt_order import shuffled
from autotune.score.prompts import written_prompts
from autotune.study.tuner import Tuner
from tests import setups
from tests.played import Workers
from tests.study.test_tuner import DATA, started

N = 160
FIRST, LAST = "step-000005", "step-000006"
ORDER = [prompt.key for prompt in shuffled(setups.prompts(N), 0)]


def of_rate(rate: float, seed: int) -> frozenset[int]:
    """The prompts (keys) that a model of this quality passes."""
    return frozenset(random.Random(seed).sample(range(N), round(rate * N)))


@dataclass
class Answerers(Workers):
    """Workers that answer one prompt after the other, as the models in the folders named would.

    `good` has what each passes. Those in `cut` leave answers that are decided; all answers of those
    in `hollow` say nothing. An event is told after every `burst` answers; a worker that is not
    waited for stops there. `made` has the keys that each answered, in order.
    """

    good: Mapping[str, frozenset[int]] = field(default_factory=dict)
    cut: frozenset[int] = frozenset()
    hollow: frozenset[str] = frozenset()
    burst: int = 1
    made: dict[str, list[int]] = field(default_factory=dict)

    def answer(self, job: Job) -> setups.Played:
        """Play the job, which was to answer what is not answered yet."""
        assert isinstance(job, GenerateJob)
        return self.answers(job), setups.done()

    def answers(self, job: GenerateJob) -> Iterator[WorkerEvent]:
        """Write answers, as long as somebody listens."""
        name = Path(job.model_folder).name
        good = self.good.get(name, frozenset())
        made = self.made.setdefault(name, [])
        out = Path(job.out)
        out.parent.mkdir(parents=True, exist_ok=True)
        there = {a.key for a in read_answers(out)} if out.exists() else set()
        prompts = written_prompts(Path(job.prompts), IFEvalPrompt)
        if job.early_seed is not None:
            there |= set(read_decided(decided_file(out)))
            prompts = shuffled(prompts, job.early_seed)
        left = [p for p in prompts if p.key not in there]
        for count, prompt in enumerate(left, start=1):
            made.append(prompt.key)
            passed = prompt.key in good
            if job.early_seed is not None and prompt.key in self.cut:
                line = DecidedLine(key=prompt.key, strict=passed, instruction=None, ids=(1, 2))
                path, text = decided_file(out), line.model_dump_json()
            else:
                words = "" if name in self.hollow else f"Number {prompt.key} is what you asked for"
                answer = Answer(
                    key=prompt.key,
                    prompt=prompt.prompt,
                    response=(words or "Ok") + ("." if passed else ", is it not?"),
                    finish="stop",
                    new_tokens=9,
                )
                path, text = out, answer.model_dump_json()
            with path.open("a", encoding="utf-8") as file:
                file.write(text + "\n")
            if count % self.burst == 0 or count == len(left):
                yield events.Answered(
                    done=len(there) + count, total=len(prompts), new_tokens=9 * count, seconds=1.0
                )


def profile(**evaluate: object) -> Profile:
    """Strategy A, two checkpoints."""
    tree = json.loads(setups.profile(setups.strategy("A")).model_dump_json(by_alias=True))
    tree["evaluate"] |= evaluate
    return Profile.model_validate_json(json.dumps(tree))


def tuner(
    folder: Path, workers: Workers, target: float = 0.25, scorer: object = None, **evaluate: object
) -> Tuner:
    """A run that asks `N` prompts of every checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    session, _ = setups.session(folder, workers)
    session.emit(started().model_copy(update={"target": target, "prompt_count": N}))
    prompts = setups.prompts(N)
    if scorer is not None:
        change = {"instruction_id_list": ("contains",), "kwargs": ({"expected": "Number"},)}
        prompts = tuple(p.model_copy(update=change) for p in prompts)
    lines = "".join(p.model_dump_json() + "\n" for p in prompts)
    write_text_atomic(session.rundir.prompts, lines)
    setup = replace(setups.setup(profile(**evaluate)), prompts=prompts)
    return Tuner(session, setup, DATA, setups.fit(), scorer or IFEval(), target)  # type: ignore[arg-type]


def best_of(session: Session) -> events.Evaluated:
    best = session.state.best
    assert best is not None
    return best
