"""The card of practice data: what it was made of and holds, and what a score after it means."""

from typing import Any

from autotune.protocol.choices import Asked
from autotune.synth.card import PracticeCard, card_text
from tests.synth.practised import COMMAS, NAPS, QUOTED, SLEEP, answer, practise, prompt

PROMPTS = (prompt(0, 0, COMMAS), prompt(0, 1, QUOTED), prompt(1, 0, QUOTED))


def card(*answers: Any, **own: Any) -> PracticeCard:
    given: dict[str, Any] = {
        "model": "demo",
        "model_digest": "sha256:12ab",
        "seed": 7,
        "temperature": 0.7,
        "top_p": 0.95,
        "max_new_tokens": 320,
        "variants": 2,
        "samples": 1,
        "ask": Asked.VARIANT,
        "words": None,
        "held_out_kinds": ("detectable_format:title",),
        "near_copies": 4,
        "counts": practise(PROMPTS, answers, seed=7, limit=None).counts,
    }
    return PracticeCard(**(given | own))


WHOLE = card(answer(PROMPTS[0], NAPS), answer(PROMPTS[2], "Too short."))


def test_the_card_is_the_same_after_it_was_a_file() -> None:
    assert PracticeCard.model_validate_json(WHOLE.model_dump_json()) == WHOLE
    assert card_text(WHOLE).startswith("---\nlanguage:\n- en\n")


def test_a_person_reads_what_was_made_of_what_and_how() -> None:
    text = card_text(WHOLE)
    for said in (
        "2 chats, each a prompt",
        "1 as they were sampled, 1 amended",
        "`demo`, sha256:12ab",
        "temperature 0.7, top-p 0.95, at most 320 tokens, 1 sample a task",
        "| held-out kinds | `detectable_format:title` |",
        "| sampled answers | 2, 80 tokens |",
        "| `startend:quotation` | 2 | 1 | 1 | 0 |",
        "- 4 prompts with a scored prompt",
        "- 1 text: says too little",
        "same kinds of rule as IFEval's",
        "no IFEval prompt",
        "arXiv:2308.01825",
        "arXiv:2203.14465",
        "arXiv:2311.07911",
        "the model's own words",
    ):
        assert said in text, said


def test_of_nothing_that_was_kept_the_card_says_no_figures() -> None:
    text = card_text(card(held_out_kinds=()))
    assert "0 chats" in text
    assert "| held-out kinds | none |" in text
    assert "on average" not in text
    assert "nan" not in text


def test_what_a_model_is_called_breaks_no_table() -> None:
    assert "odd\\nname" in card_text(card(answer(PROMPTS[0], SLEEP), model="odd\nname"))
