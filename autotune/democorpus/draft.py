"""Builds the text of an answer from chosen parts; knows layouts, knows nothing of requests."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from autotune.democorpus.constraints import Ask
from autotune.democorpus.forms import Kind

_MARKED = re.compile(r"\*([^*\n]+)\*")


class Marks(StrEnum):
    """What becomes of the marked phrase of a sentence."""

    PLAIN = "plain"
    HIGHLIGHT = "highlight"
    CAPITALS = "capitals"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with one marked phrase, its place in the natural order, and a lead-in.

    `lead` is empty or stands before the sentence when it is not the first of its block.
    """

    text: str
    position: int
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """All choices of one answer. `pool` is in order of preference; a text takes its first k.

    `parts` counts bullets, paragraphs, sections or responses. `lines` are finished texts for
    the layouts that do not draw on the pool: a verse, items, JSON, another language. `first_words`
    maps a paragraph (1-based) to the sentence it starts with.
    """

    kind: Kind
    layout: Ask | None
    pool: tuple[Sentence, ...]
    parts: int = 1
    opening: str = ""
    closing: str = ""
    extra: tuple[str, ...] = ()
    greeting: str = ""
    sign_off: str = ""
    title: str = ""
    postscript: str = ""
    ending: str = ""
    hashtags: str = ""
    splitter: str = "Section"
    lines: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    first_words: tuple[tuple[int, str], ...] = ()
    marks: Marks = Marks.PLAIN
    marked: int = 0
    split: bool = False
    case: Callable[[str], str] = str
    quoted: bool = False

    def text(self, size: int) -> str:
        """The answer with `size` sentences of the pool (more if its layout needs more)."""
        chosen = sorted(self.pool[:size], key=lambda s: s.position)
        body: list[str] = []
        leads = {""}
        for i, sentence in enumerate(chosen):
            # The same lead-in twice would sound like a machine.
            led = i > 0 and sentence.lead not in leads
            body.append(self._show(sentence, i, led=led))
            leads |= {sentence.lead} if led else set()
        text = self._attach(self._lay_out(body))
        text = self.case(text)
        return f'"{text}"' if self.quoted else text

    def _show(self, sentence: Sentence, index: int, *, led: bool) -> str:
        """The sentence with its mark rendered; only the first `marked` sentences keep one."""
        style = self.marks if index < self.marked else Marks.PLAIN
        prose = self.kind is Kind.PROSE and self.layout in (None, Ask.PARAGRAPHS)
        text = sentence.text
        if led and prose:
            text = sentence.lead + text[0].lower() + text[1:]
        if style is Marks.HIGHLIGHT:
            return text
        if style is Marks.CAPITALS:
            return _MARKED.sub(lambda match: match.group(1).upper(), text)
        return _MARKED.sub(r"\1", text)

    def _lay_out(self, body: list[str]) -> str:
        if self.layout is Ask.BULLETS:
            return self._bullets(body)
        if self.layout is Ask.PARAGRAPHS:
            return "\n\n***\n\n".join(self._parts(body))
        if self.layout is Ask.SECTIONS:
            parts = self._parts(body)
            return "\n\n".join(f"{self.splitter} {i}\n{p}" for i, p in enumerate(parts, 1))
        if self.layout is Ask.NTH_PARAGRAPH:
            return "\n\n".join(self._parts(body))
        if self.layout is Ask.TWO_RESPONSES:
            return "\n\n******\n\n".join(self._parts(body))
        if self.lines:
            return "\n".join(self.lines)
        if self.kind is Kind.DIALOGUE:
            turns = zip(self.questions, body, strict=False)
            return "\n".join(f"Student: {q}\nTeacher: {a}" for q, a in turns)
        return self._prose(body)

    def _prose(self, body: list[str]) -> str:
        # Extra sentences refer to what was said, so they never come before the first fact.
        first = 1 if self.kind is Kind.PROSE else len(body)
        sentences = [self.opening, *body[:first], *self.extra, *body[first:], self.closing]
        sentences = [s for s in sentences if s]
        half = len(sentences) // 2
        if self.split and half > 1:
            text = " ".join(sentences[:half]) + "\n\n" + " ".join(sentences[half:])
        else:
            text = " ".join(sentences)
        blocks = [self.greeting, text, self.hashtags, self.sign_off]
        return "\n\n".join(block for block in blocks if block)

    def _bullets(self, body: list[str]) -> str:
        points = self.lines or body
        head = " ".join(s for s in (self.opening, *self.extra) if s)
        listing = "\n".join(f"* {point}" for point in points)
        blocks = [self.greeting, head, listing, self.closing, self.sign_off]
        return "\n\n".join(block for block in blocks if block)

    def _parts(self, body: list[str]) -> list[str]:
        """The body dealt into `parts` blocks of nearly equal size, in order."""
        size, more = divmod(len(body), self.parts)
        blocks: list[list[str]] = []
        start = 0
        for i in range(self.parts):
            stop = start + size + (1 if i < more else 0)
            blocks.append(body[start:stop])
            start = stop
        for number, sentence in self.first_words:
            blocks[number - 1].insert(0, sentence)
        if self.opening and 1 not in dict(self.first_words):
            blocks[0].insert(0, self.opening)
        blocks[-1].extend(self.extra)
        if self.closing:
            blocks[-1].append(self.closing)
        return [" ".join(block) for block in blocks]

    def _attach(self, text: str) -> str:
        if self.title:
            text = f"<<{self.title}>>\n\n{text}"
        if self.postscript:
            text = f"{text}\n\n{self.postscript}"
        if self.ending:
            prose = self.kind in (Kind.PROSE, Kind.POST) and self.layout is not Ask.BULLETS
            gap = " " if prose and not self.hashtags else "\n\n"
            text = f"{text}{gap}{self.ending}"
        return text


def as_json(value: object, *, fenced: bool) -> str:
    """A JSON text, indented by two; `fenced` puts it into a markdown block."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return f"```json\n{text}\n```" if fenced else text


def unmarked(text: str) -> str:
    """The text with the asterisks around marked phrases taken away."""
    return _MARKED.sub(r"\1", text)


def marked_words(text: str) -> list[str]:
    """Lowercase words of four letters or more in the marked phrases of `text`, in order."""
    phrases = _MARKED.findall(text)
    return [word for phrase in phrases for word in re.findall(r"\b[a-z]{4,}\b", phrase)]
