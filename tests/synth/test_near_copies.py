"""Composed prompts in which a scored prompt stands are not asked."""

from autotune.data.contamination import ScoredPrompts
from autotune.synth.near_copies import without_near_copies
from tests.synth.practised import COMMAS, prompt

SCORED = 'Write a poem about the "Moon landing" of 1969. Do not use any commas in your poem.'


def test_a_prompt_that_is_a_scored_one_or_nearly_is_left_out() -> None:
    texts = (
        "Write a poem about apples. Do not use any commas in your poem.",
        SCORED,
        SCORED.replace("poem", "song", 1).upper(),
        "Write a letter about the sea. Use no commas at all.",
    )
    prompts = tuple(
        prompt(n, 0, COMMAS).model_copy(update={"prompt": text}) for n, text in enumerate(texts)
    )
    parted = without_near_copies(prompts, ScoredPrompts([(1, SCORED)]))
    assert parted.own == (prompts[0], prompts[3])
    assert parted.copies == (prompts[1], prompts[2])
