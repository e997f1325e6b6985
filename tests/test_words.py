"""Words and sentences that do not come back in what people read, each with the better one.

What people read: the sentences of the code, the report's templates, the profiles, the help of every
command, README and the pages of docs. The log and the list of changes tell what was, in its words.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from autotune.base.format import counted
from autotune.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "autotune"
HISTORY = {"LOG.md", "CHANGELOG.md"}
NO_SENTENCES = ("demo", "score/ifeval/words")
"""Folders and files whose texts are data: conversations, lists of words."""

BETTER = {
    r"\b(go(es|ing)?|went) on\b": "resume, continue, retry",
    r"\bwhat is trained on\b|\bof (them|it) trained on\b|\btrained tokens?\b": "supervised tokens",
    r"\bcuts? (off|short|by the length|a step)\b|\bstep is cut\b|\brecut\b": "truncated, resized",
    r"\bways to\b|\bthe way (that was|of cutting)\b": "micro-batch settings",
    r"\bat once\b": "micro-batch; immediately",
    r"\b(longest|shortest|ordinary|packed|padded|chat) rows?\b": "sequences",
    r"\brows? (at a time|of (\{\}|\d+) tokens|of full length|packed|padded)\b": "sequences",
    r"\bluck\w*\b|\bflatter\w*\b": "selection bias",
    r"\bheld down\b|\bholds? (its|the) clock\b": "throttled",
    r"\banew\b|\bonce more\b": "again",
    r"\btorn\b": "truncated, corrupt",
    r"\buseless\b": "cannot continue",
    r"\bso uneven\b|\bmay well be chance\b|\bno difference shown\b": "no significant difference",
    r"\b(driver|torch|system|computer) (does not )?(tells?|told|says?)\b": "reports",
    r"\bvacuous\b|\bsay(ing)? next to nothing\b": "trivial",
    r"\bsound (answers?|passes)\b|\| sound \|": "genuine",
    r"\brivals?\b|\bentrants?\b|\bcontests?\b": "candidates, early stopping",
    r"\bfault of the tool\b": "bug in the tool",
    r"\b(ledger|shelf|frontier|foresight|neartie)\b": "memory tracker, cache, table, initial guess",
    r"\bother house\b|\blate truth\b|\bthe hand that\b|\bneed not be here\b": "a plain sentence",
    r"\b1 (rounds|epochs|conversations|steps|prompts|answers|checkpoints|rows)\b": "a count's noun",
}
"""What may not come back, as a pattern, and what to say instead."""

NOUNS = "rounds|epochs|conversations|steps|prompts|answers|checkpoints|records|trials|attempts"
BARE_COUNT = re.compile(rf"^ ({NOUNS})\b")
"""What may not stand after a number in a sentence: with 1 it is wrong."""


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Lines and texts of a module's strings of two words or more, without docstrings.

    A value that is put in is `{}`.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed_over = {id(node) for node in docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inner = (part for part in ast.walk(node) if part is not node)
            passed_over |= {id(part) for part in inner if isinstance(part, ast.Constant)}
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if id(node) not in passed_over and " " in text.strip():
            yield node.lineno, text


def docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Strings that stand alone: of modules, classes and functions, and below constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def bare_counts(path: Path) -> Iterator[tuple[int, str]]:
    """Numbers in sentences that are put before a plural as it is, `counted` aside."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, after in zip(node.values, node.values[1:], strict=False):
            if not isinstance(value, ast.FormattedValue) or not isinstance(after, ast.Constant):
                continue
            found = BARE_COUNT.match(str(after.value))
            if found and not (isinstance(value.value, ast.Name) and value.value.id.isupper()):
                yield node.lineno, f"{{{ast.unparse(value.value)}}} {found[1]}"


def modules() -> list[Path]:
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.relative_to(PACKAGE).as_posix().startswith(NO_SENTENCES)
    ]


def pages() -> list[Path]:
    """Pages, templates and profiles: files that are read as they are."""
    docs = (page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in HISTORY)
    shipped = (PACKAGE / "report" / "templates", PACKAGE / "config")
    files = (path for folder in shipped for path in sorted(folder.rglob("*.*")))
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *docs, *(f for f in files if _read(f))]


def _read(path: Path) -> bool:
    return path.suffix in {".j2", ".toml"}


def faults_in(text: str, where: str) -> list[str]:
    return [
        f"{where}: {found.group()!r}, better: {better}"
        for pattern, better in BETTER.items()
        for found in re.finditer(pattern, " ".join(text.split()), re.IGNORECASE)
    ]


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """A command and those below it, each with the words that call it."""
    yield name, command
    for below, each in getattr(command, "commands", {}).items():
        yield from commands(each, f"{name} {below}")


def test_sentences_of_the_code_use_the_words_of_the_field() -> None:
    found = [
        fault
        for path in modules()
        for line, text in sentences(path)
        for fault in faults_in(text, f"{path.relative_to(ROOT).as_posix()}:{line}")
    ]
    assert not found, "\n".join(found)


def test_pages_templates_and_profiles_use_the_words_of_the_field() -> None:
    found = []
    for path in pages():
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, (line, after) in enumerate(zip(lines, [*lines[1:], ""], strict=True), 1):
            where = f"{path.relative_to(ROOT).as_posix()}:{number}"
            own, others = faults_in(line, where), faults_in(after, where)
            found += own
            broken = faults_in(f"{line} {after}", where)  # a phrase that is broken over two lines
            found += [fault for fault in broken if fault not in own and fault not in others]
    assert not found, "\n".join(found)


def test_the_help_of_every_command_uses_the_words_of_the_field() -> None:
    found = []
    for name, command in commands(typer.main.get_command(app), "smolsft-autotune"):
        with command.make_context(name, [], resilient_parsing=True) as context:
            found += faults_in(command.get_help(context), f"{name} --help")
    assert not found, "\n".join(found)


def test_no_sentence_puts_a_number_before_a_plural_as_it_is() -> None:
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{line}: {what!r}, better: counted(...)"
        for path in modules()
        for line, what in bare_counts(path)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("noun", ["round", "epoch", "conversation", "supervised token"])
def test_only_one_is_singular(noun: str) -> None:
    assert [counted(number, noun) for number in (0, 1, 2)] == [
        f"0 {noun}s",
        f"1 {noun}",
        f"2 {noun}s",
    ]


def test_a_noun_of_its_own_plural_has_it() -> None:
    shown = [counted(number, "process", "processes") for number in (0, 1, 2)]
    assert shown == ["0 processes", "1 process", "2 processes"]
