"""Instructions on how long an answer is: words, sentences, paragraphs."""

import re
from random import Random

from autotune.score.ifeval.arguments import (
    Argument,
    a_count,
    a_relation,
    a_text,
    an_ordinal,
    as_count,
)
from autotune.score.ifeval.instruction import (
    Counted,
    Instruction,
    Stage,
    is_or_are,
    number,
    quote,
)
from autotune.score.ifeval.opening import opened_with
from autotune.score.ifeval.pieces import divided, longest_beginning, pieces
from autotune.score.ifeval.words import complete_sentences, count_sentences, count_words, sentences

_DIVIDER = re.compile(r"\s?\*\*\*\s?")
_END_OF_WORD = frozenset(".,?!'\"")
_ASTERISKS = re.compile(r"\*{3,}")
_BLANK_LINES = re.compile(r"\n\s*\n")
_BETWEEN_PROSE = re.compile(r"(?<=[.!?])\n\s*\n(?=[A-Z][^\n:]*[.!?])")
_UNENDED_LINE = re.compile(r"(?<=\w)[^\S\n]*(?=\n|$)")
_JOINT = re.compile(
    r"(?:; |, (?=(?:and|but|so) (?:I|you|he|she|it|we|they|this|that|these|those|there)\b))(\w)"
)
"""Where a sentence may as well end: a semicolon, a comma before a clause with its own subject."""


class NumberWords(Counted):
    """Enough words, or few enough (`NumberOfWords`).

    Newer NLTK counts with another regular-expression engine, to which a letter with a combining
    mark (Hindi, Thai) is one word and not two; the published figures are from Python's own.
    """

    id = "length_constraints:number_words"
    arguments = {"num_words": a_count, "relation": a_relation}
    noun = "word"

    @property
    def limit(self) -> Argument:
        """The number of words."""
        return self.given["num_words"]

    def count(self, text: str) -> int:
        """The words."""
        return count_words(text)

    def edit(self, answer: str, draw: Random) -> str | None:
        """Cut to the whole sentences that fit; nothing is made longer."""
        fewer = self.relation == "less than"
        return longest_beginning(answer, self.check) if fewer else None


class NumberSentences(Counted):
    """Enough sentences, or few enough, by the Punkt model of English (`NumberOfSentences`).

    The published checker loads that model, a pickle, from NLTK's data at score time. Here a package
    carries it whose splitting is NLTK's but for three things: several marks end a text, or begin
    it, as one sentence and not two; a spaced ellipsis (`. . .`) is one end and not three; and an
    opening quotation mark `“` after an end begins the next sentence.
    """

    id = "length_constraints:number_sentences"
    arguments = {"num_sentences": a_count, "relation": a_relation}
    noun = "sentence"
    amended_at = Stage.CUT

    @property
    def limit(self) -> Argument:
        """The number of sentences."""
        return self.given["num_sentences"]

    def count(self, text: str) -> int:
        """The sentences."""
        return count_sentences(text)

    def certain_count(self, beginning: str) -> int:
        """The sentences that no further text takes away."""
        return len(sentences(complete_sentences(beginning)))

    def edit(self, answer: str, draw: Random) -> str | None:
        """Cut to the first, or divided where two stand in one; lines get the stop they lack."""
        if self.relation == "less than":
            return longest_beginning(answer, self.check)
        text = answer.rstrip()
        for place in reversed([joint.start() for joint in _JOINT.finditer(text)]):
            text = text[:place] + _JOINT.sub(lambda m: f". {m[1].upper()}", text[place:], count=1)
            if self.check(text):
                return text
        return _UNENDED_LINE.sub(".", text)


class NumberParagraphs(Instruction):
    """So many paragraphs, divided by `***`, none of them empty but at the ends.

    A divider takes at most one white space on either side with it (`ParagraphChecker`).
    """

    id = "length_constraints:number_paragraphs"
    arguments = {"num_paragraphs": a_count}
    amended_at = Stage.SHAPE

    def check(self, answer: str) -> bool:
        """Whether there are just so many."""
        parts = [part.strip() for part in _DIVIDER.split(answer)]
        return all(parts[1:-1]) and sum(map(bool, parts)) == self.given["num_paragraphs"]

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at an empty paragraph, or one too many."""
        wanted = as_count(self.given["num_paragraphs"])
        *finished, last = _DIVIDER.split(beginning)
        if any(not part.strip() for part in finished[1:]):
            return False
        count = sum(bool(part.strip()) for part in finished) + has_content(last)
        return False if count > wanted else None

    def explain(self, answer: str) -> str:
        """How many there are."""
        wanted = self.given["num_paragraphs"]
        parts = [part.strip() for part in _DIVIDER.split(answer)]
        asked = f"exactly {wanted} divided by *** {is_or_are(wanted)}"
        if not all(parts[1:-1]):
            return f"an empty paragraph between two ***, {asked} required"
        return f"{number(sum(map(bool, parts)), 'paragraph')}, {asked} required"

    def edit(self, answer: str, draw: Random) -> str | None:
        """Divided anew into parts about as long, at its own paragraphs where it has enough."""
        text = _ASTERISKS.sub("", answer).strip()
        parts = divided(text, as_count(self.given["num_paragraphs"]))
        return "\n***\n".join(parts) if parts else None


class NthParagraphFirstWord(Instruction):
    """So many paragraphs, divided by two line breaks, the n-th of which begins with a word.

    Empty ones are not counted, but have their place among those of which one is the n-th. The word
    ends at punctuation (`ParagraphFirstWordCheck`).
    """

    id = "length_constraints:nth_paragraph_first_word"
    arguments = {"num_paragraphs": an_ordinal, "nth_paragraph": an_ordinal, "first_word": a_text}
    amended_at = Stage.SHAPE

    def check(self, answer: str) -> bool:
        """Whether it is so."""
        parts = answer.split("\n\n")
        if sum(bool(part.strip()) for part in parts) != self.given["num_paragraphs"]:
            return False
        nth = as_count(self.given["nth_paragraph"])
        return _may_begin(parts[nth - 1], str(self.given["first_word"]).lower(), True)

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at one paragraph too many, or at another word there."""
        total, nth = as_count(self.given["num_paragraphs"]), as_count(self.given["nth_paragraph"])
        paragraphs = beginning.split("\n\n")
        if sum(bool(part.strip()) for part in paragraphs) > total:
            return False
        if nth > len(paragraphs):
            return None
        possible = _may_begin(
            paragraphs[nth - 1], str(self.given["first_word"]).lower(), nth < len(paragraphs)
        )
        return None if possible else False

    def explain(self, answer: str) -> str:
        """How many there are, else what it begins with."""
        parts = answer.split("\n\n")
        count = sum(bool(part.strip()) for part in parts)
        nth, needed = self.given["nth_paragraph"], self.given["num_paragraphs"]
        if count != needed:
            return f"{number(count, 'paragraph')}, exactly {needed} {is_or_are(needed)} required"
        words = parts[int(str(nth)) - 1].split()
        begins = f"begins with {quote(words[0])}" if words else "is empty"
        return f"paragraph {nth} {begins}, must begin with {quote(self.given['first_word'])}"

    def edit(self, answer: str, draw: Random) -> str | None:
        """Divided anew, before a sentence that begins with the word if there is one.

        Else a word that may open any sentence is put before that of the n-th paragraph.
        """
        text, total = answer.strip(), as_count(self.given["num_paragraphs"])
        nth, word = as_count(self.given["nth_paragraph"]) - 1, str(self.given["first_word"])
        parts = self._divided_before(word, text, nth) or divided(text, total)
        if not parts:
            return None
        if not _may_begin(parts[nth], word.lower(), True):
            opened = opened_with(word, parts[nth])
            if opened is None:
                return None
            parts[nth] = opened
        return "\n\n".join(_in_one(part) for part in parts)

    def _divided_before(self, word: str, text: str, nth: int) -> list[str] | None:
        """Parts of which the n-th, from 0, begins with the word; what is before the first goes."""
        for start, _ in pieces(text):
            if not _may_begin(text[start:], word.lower(), True) or (
                nth == 0 and 2 * start > len(text)
            ):
                continue
            before = divided(text[:start].strip(), nth) if nth else []
            after = divided(text[start:], as_count(self.given["num_paragraphs"]) - nth)
            if before is not None and after is not None:
                return [*before, *after]
        return None


def _in_one(part: str) -> str:
    """One paragraph of several: prose goes on in its line, a list and a heading keep theirs."""
    return _BLANK_LINES.sub("\n", _BETWEEN_PROSE.sub(" ", part))


def _may_begin(paragraph: str, expected: str, finished: bool) -> bool:
    """Whether a paragraph, `finished` or still growing, may begin with the `expected` word."""
    words = paragraph.split(maxsplit=1)
    if not words:
        return not finished
    finished = finished or len(words) > 1 or paragraph[-1].isspace()
    begun = ""
    for letter in words[0].lstrip("'").lstrip('"'):
        if letter in _END_OF_WORD:
            finished = True
            break
        begun += letter.lower()
    return begun == expected if finished else expected.startswith(begun)


def has_content(growing: str) -> bool:
    """Whether a part holds more than white space and asterisks that may begin a divider."""
    return bool(growing.rstrip("*").strip())
