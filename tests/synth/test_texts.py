"""The texts that prompts are composed from: enough of them, and each of use."""

from collections import Counter

import pytest

from autotune.synth import phrases
from autotune.synth.forms import Kind, allowed, forms
from autotune.synth.kinds import Ask
from autotune.synth.texts import read_table
from autotune.synth.topics import NOUNS, Sort, held_out_topics, practice_topics


def test_there_are_enough_topics_of_every_sort_and_none_twice() -> None:
    sorts = Counter(topic.sort for topic in practice_topics())
    assert sorts.keys() == set(Sort)
    assert sorts.total() >= 350 and min(sorts.values()) >= 14
    assert sum(sorts[sort] for sort in NOUNS) >= 250
    names = [topic.name.lower() for topic in (*practice_topics(), *held_out_topics())]
    assert len(set(names)) == len(names)


def test_topics_have_words_to_ask_for() -> None:
    for topic in (*practice_topics(), *held_out_topics()):
        assert len(topic.words) >= 3, topic.name
        assert len({*topic.words, topic.keyword}) == len(topic.words) + 1


def test_facts_mark_one_phrase_each_and_hold_the_keyword() -> None:
    assert len(held_out_topics()) == 10
    with_facts = [topic for topic in (*practice_topics(), *held_out_topics()) if topic.facts]
    assert len(with_facts) >= 50
    for topic in with_facts:
        assert all(text.count("*") == 2 for text in topic.facts), topic.name
        assert sum(topic.keyword in fact.lower() for fact in topic.facts) >= 3, topic.name
        assert len(topic.questions) >= 2 and all(q.endswith("?") for q in topic.questions)


def test_there_are_many_forms_and_every_topic_has_some() -> None:
    assert len({form.name for form in forms()}) >= 45
    for topic in practice_topics():
        ways = [way for form in forms() for way in form.requests_about(topic)]
        assert len(ways) >= 4, topic.name


@pytest.mark.parametrize("ask", list(Ask))
def test_every_kind_of_instruction_goes_with_some_kind_of_text(ask: Ask) -> None:
    assert any(ask in allowed(kind) for kind in Kind)


@pytest.mark.parametrize("ask", list(Ask))
def test_every_kind_is_put_in_eight_ways_or_more(ask: Ask) -> None:
    tables = {name: row for name, row in read_table("wordings").items() if name.startswith(ask)}
    marks = {f"{ask} #", f"{ask} !"}
    assert tables
    for name, row in tables.items():
        assert len(set(row["sentences"])) == len(row["sentences"])
        assert len(row["sentences"]) >= (4 if name in marks else 8), name


def test_endings_are_many_and_hold_no_comma() -> None:
    assert len(set(phrases.ENDINGS)) >= 25
    assert not any("," in ending for ending in phrases.ENDINGS)
