"""README.md of `best/`: what the model is, what it scored and how, what it cannot, how to use it.

It is written again as the run finds out more, by itself: no manifest names it. A card that somebody
has edited is theirs and stays.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from autotune.base.files import is_link, write_text_atomic
from autotune.base.format import counted, percent, rate_text, safe
from autotune.protocol import events
from autotune.protocol.plan import TrainPlan
from autotune.protocol.result_text import health_text, rounds_text, score_text
from autotune.protocol.results import Health
from autotune.protocol.scores import Lift, Metric
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.run.state import StudyState
from autotune.score.health import MIN_DIFFERENT_WORDS
from autotune.text.conclusions import conclusions, scorer_of
from autotune.text.gain import is_no_better
from autotune.text.training_plan import step_text

CARD = "README.md"

FRONT_MATTER = """---
library_name: transformers
pipeline_tag: text-generation
tags:
- sft
---"""
"""What hubs read of a model's card. Language and licence are not known here."""

LIMITS = (
    "A small model: what it says of facts, numbers and code is often wrong, and it can be led to"
    " say anything. Nothing was done to make it safe.",
    "The score says whether rules that a program can check are kept, not whether an answer is"
    " good.",
    "It was scored with greedy decoding, always the likeliest token; sampling gives other answers.",
    "Licences of the base model and of the data apply; this tool does not know them.",
)

LIFT = (
    "Lift: how many points of the score come of following the prompt; the same answers would pass"
    " what is left on other prompts too."
)

HEALTH = {
    "stop": "come to an end by themselves (stop)",
    "loop": "repeat one piece up to where they end, by themselves or at the limit of tokens (loop)",
    "echo": "give the prompt back (echo)",
    "empty": "say nothing (empty)",
}
"""What stands in the last column of the scores, in percent of all answers, in plain words."""

TRIVIAL = (
    f"Trivial: of the answers that pass, those with fewer than {MIN_DIFFERENT_WORDS} different"
    " words."
)

USE = """```python
from transformers import pipeline

chat = pipeline("text-generation", model="PATH/TO/THIS/FOLDER")
answer = chat(
    [{"role": "user", "content": "Name three rivers."}],
    max_new_tokens=256,
    do_sample=False,
    return_full_text=False,
)
print(answer[0]["generated_text"])
```

| to | type |
|---|---|
| talk with it | `smolsft-autotune chat PATH/TO/THIS/FOLDER` |
| run it with llama.cpp or Ollama | `smolsft-autotune export PATH/TO/THIS/FOLDER --to gguf` |
| score it again | `smolsft-autotune eval PATH/TO/THIS/FOLDER` |"""

_SEAL = "<!-- written by smolsft-autotune, sha256 of what stands above: {} -->\n"


def write_card(session: Session) -> None:
    """Have the card of the best checkpoint in `best/`, where that is there and the card is ours.

    Raises:
        EnvironmentFault: it cannot be written.
    """
    folder, state = session.rundir.best, session.state
    kept, best = state.best_kept, state.best
    if best is None or kept is None or is_link(folder) or not folder.is_dir():
        return
    if (kept.number, kept.checkpoint.place) != (best.number, best.checkpoint.place):
        return
    path, text = folder / CARD, sealed(card_text(state, best, session.rundir))
    if is_ours(path) and _read(path) != text:
        write_text_atomic(path, text)


def sealed(text: str) -> str:
    """A card with a last line by which an edited one is known."""
    return text + _SEAL.format(hashlib.sha256(text.encode("utf-8")).hexdigest())


def is_ours(path: Path) -> bool:
    """Whether there is no card yet, or one as it was written here."""
    text = _read(path)
    if text is None:
        return not path.exists()
    above = "".join(text.splitlines(keepends=True)[:-1])
    return text == sealed(above)


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def card_text(state: StudyState, best: events.Evaluated, rundir: RunDir | None = None) -> str:
    """The whole card, from what is on record and what `rundir` has of scores."""
    plan, run = state.trials[best.number].plan, state.run
    concluded = conclusions(state, rundir)
    first = [concluded.pop(0)] if is_no_better(state) else []
    model = f"`{safe(run.model)}`" if run else "a model"
    sections = (
        [FRONT_MATTER, f"# {safe(run.model) if run else 'Model'}, fine-tuned"],
        [
            f"{model} after {step_text(plan, best.checkpoint)} of supervised fine-tuning"
            f" ({percent(best.checkpoint.progress, 0)} of trial {best.number}, strategy"
            f" {safe(plan.strategy)}){_averaged(best)}. The best of"
            f" {counted(state.scored_checkpoints, 'scored checkpoint')} of its run."
        ],
        [f"**{safe(line)}**" for line in first],
        ["## Scores", *_scores(state, best), *_bullets(concluded)],
        ["## Training", _rows(("", ""), _settings(state, plan))],
        ["## Use", USE],
        ["## Limits", *_bullets(LIMITS)],
    )
    return "\n\n".join(part for section in sections for part in section if part) + "\n\n"


def _averaged(best: events.Evaluated) -> str:
    count = best.checkpoint.averaged
    return f", the mean of its last {counted(count, 'checkpoint')}" if count else ""


def _bullets(lines: Iterable[str]) -> list[str]:
    text = "\n".join(f"- {safe(line)}" for line in lines)
    return [text] if text else []


def _scores(state: StudyState, best: events.Evaluated) -> list[str]:
    """What was asked, the table, and what its columns mean."""
    scorer, run = scorer_of(state), state.run
    other = run is not None and run.prompts.lower() != scorer.title.lower()
    on = f" on {safe(run.prompts)}" if run is not None and other else ""
    rows = list(_score_rows(state, best))
    table = _rows(
        ("", "prompts passed [95 %]", "of the answers"),
        [
            (name, score_text(scored, interval), health_text(health, lift))
            for name, scored, interval, health, lift in rows
        ],
    )
    known = [health for *_, health, _ in rows if health is not None]
    meaning = [LIFT] if any(lift is not None for *_, lift in rows) else []
    if known:
        named = [text for name, text in HEALTH.items() if name in scorer.health_checks]
        meaning.append(f"In percent of all answers, those that {', '.join(named)}.")
    if any(health.vacuous for health in known):
        meaning.append(TRIVIAL)
    asked = f"{scorer.title}{on}, greedy decoding. Prompts passed of all that were asked, and the"
    return [f"{asked} 95 % interval.", table, " ".join(meaning)]


_ScoreRow = tuple[str, Metric, tuple[float, float] | None, Health | None, Lift | None]


def _score_rows(state: StudyState, best: events.Evaluated) -> Iterator[_ScoreRow]:
    """This model, before training, and the baselines: on all prompts first, where that is known."""
    names = {"untrained": "before training"}
    names |= {each.name: each.brief for each in scorer_of(state).baselines}
    full, beside = state.best_in_full, state.beside_best_in_full
    own = ""
    if full is not None:
        on = f", all {counted(full.score.total, 'prompt')} of {safe(full.prompts)}"
        own = ", the run's own prompts"
        yield f"**this model**{on}", full.score, full.interval, full.health, full.lift
        for key, name in names.items():
            if (base := beside.get(key)) is not None:
                yield f"{name}{on}", base.score, base.interval, base.health, base.lift
    if best.score is not None:
        name = "this model, so far about" if best.partial else f"**this model**{own}"
        yield name, best.score, best.interval, best.health, best.lift
    for key, name in names.items():
        if (scored := state.baselines.get(key)) is not None:
            yield f"{name}{own}", scored.score, scored.interval, scored.health, scored.lift


def _settings(state: StudyState, plan: TrainPlan) -> Iterator[tuple[str, str]]:
    """What it was trained with, by name."""
    run = state.run
    surveyed = state.own_surveys.get(plan.strategy)
    data = surveyed.data if surveyed else run.data if run else plan.data.path
    yield "data", f"`{safe(data)}`, {counted(plan.conversations, 'conversation')}"
    for name, sha256 in _digests(state, plan):
        yield f"sha256 of `{safe(name)}`", f"`{sha256}`"
    yield "supervised", f"answers and what ends them (`{plan.data.supervision.value}`)"
    length = counted(plan.model_max_length, "token")
    yield "longest sequence", f"{length}, {rounds_text(plan.max_rounds)}"
    yield (
        "epochs x conversations a step",
        f"{plan.num_train_epochs} x {plan.batch_size} ({counted(plan.total_steps, 'step')})",
    )
    yield (
        "learning rate",
        f"{rate_text(plan.learning_rate)}, {plan.lr_scheduler_type}, warm-up {plan.warmup_ratio:g}",
    )
    yield "weight decay", f"{plan.weight_decay:g}"
    if plan.neftune_noise_alpha:
        yield "NEFTune alpha", f"{plan.neftune_noise_alpha:g}"
    yield "optimizer", f"AdamW, gradients clipped to {plan.max_grad_norm:g}"
    yield "precision", f"{plan.precision.value}, fp32 master weights"
    yield "seed", str(plan.seed)
    yield "digest of the plan", f"`{plan.identity}`"
    if run is not None:
        yield "device", safe(run.device)


def _digests(state: StudyState, plan: TrainPlan) -> Iterator[tuple[str, str]]:
    content = state.content
    if content is not None:
        yield from content.own_data.get(plan.strategy, content.data).items()


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ((cell.replace("|", "\\|") for cell in line) for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
