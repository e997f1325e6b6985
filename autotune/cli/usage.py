"""A command line as it is typed: again after an interrupt, or right where it was not understood."""

from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from autotune.base.format import quoted
from autotune.base.near import near_name
from autotune.cli.misplaced import meant_for
from autotune.study.shared.address import without_password

PROGRAM = "smolsft-autotune"


def usage_line(error: Any, arguments: Sequence[str]) -> str:
    """What is wrong, what was probably meant, and whose help says more.

    `error` is typer's, whose kinds it does not make public: they are known by what they carry.
    """
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else _command(arguments)
    name = command.removeprefix(PROGRAM).strip() or PROGRAM
    what = _what(error, context, name, arguments)
    return f"{what}{'' if what.endswith('?') else '.'} See {command} --help"


def _command(arguments: Sequence[str]) -> str:
    """The command that was called, by the words before the first option."""
    return " ".join([PROGRAM, *takewhile(lambda word: not word.startswith("-"), arguments)])


def _what(error: Any, context: Any, name: str, arguments: Sequence[str]) -> str:
    message = " ".join(str(error.format_message()).split()).rstrip(".")
    asked = getattr(error, "option_name", None)
    params = context.command.params if context is not None else ()
    options = [o for p in params for o in (*p.opts, *p.secondary_opts)]
    options += context.help_option_names if context is not None else ()
    if asked is not None and "requires an argument" in message:
        return f"{asked}: needs a value after it"
    if asked is not None and hasattr(error, "possibilities"):
        near = near_option(asked, [o for o in options if o.startswith("--")])
        meant = f"; did you mean {near}?" if near else ""
        return f"{asked}: {name} has no such option{meant}"
    if "unexpected extra argument" in message:
        return _extra(message, name, options, arguments)
    param = getattr(error, "param", None)
    if param is not None and "valid integer" in message:
        return _no_number(param, arguments)
    if param is not None and "valid number" in message:
        return f"{param.opts[0]} {_typed(param, arguments, _is_number)}: must be a number"
    return message[:1].lower() + message[1:]


def near_option(asked: str, options: Sequence[str]) -> str | None:
    """The option that was probably meant: spelled nearly so, or with this as one of its words.

    Compared without the dashes before them, which all have.
    """
    names = {each.removeprefix("--"): each for each in options}
    word = asked.lstrip("-").replace("_", "-").lower()
    near = near_name(word, names)
    parts = [name for name in names if word in name.split("-") and len(word) > 1]
    found = near or (parts[0] if len(parts) == 1 else None)
    return names[found] if found else None


def _extra(message: str, name: str, options: Sequence[str], arguments: Sequence[str]) -> str:
    """An argument that the command does not take; typer names it only inside its sentence."""
    words = message.partition("(s) (")[2].removesuffix(")")
    spaced = [" ".join(a.split()) for a in arguments]
    word = next((a for a, s in zip(arguments, spaced, strict=True) if s and s in words), words)
    meant = meant_for(word, options)
    return f"{word}: {name} takes no such argument" + (f"; did you mean {meant}?" if meant else "")


def _no_number(param: Any, arguments: Sequence[str]) -> str:
    wrong = _typed(param, arguments, str.isdigit)
    near = f"; did you mean {whole}?" if (whole := _whole(wrong)) else ""
    return f"{param.opts[0]} {wrong}: must be a whole number{near}"


def _typed(param: Any, arguments: Sequence[str], holds: Callable[[str], bool]) -> str:
    """The first value of an option that does not hold."""
    typed = [value for at, a in enumerate(arguments) if a.split("=")[0] in param.opts
             if (value := _value(arguments, at)) is not None]  # fmt: skip
    return next((value for value in typed if not holds(value)), "")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _value(arguments: Sequence[str], at: int) -> str | None:
    _, sign, value = arguments[at].partition("=")
    if sign:
        return value
    return arguments[at + 1] if at + 1 < len(arguments) else None


def _whole(value: str) -> str | None:
    """`1024` of `1,024`, `1024.0`, `1_024` or `1k`; None where no whole number is near."""
    text = value.lower().replace("_", "").replace(" ", "")
    if len(parts := text.split(",")) > 1 and all(len(part) == 3 for part in parts[1:]):
        text = "".join(parts)
    thousands = text.endswith("k")
    try:
        number = float(text.removesuffix("k")) * (1024 if thousands else 1)
    except ValueError:
        return None
    return str(int(number)) if number >= 0 and number.is_integer() else None


def command_again(arguments: Sequence[str], folder: Path | None = None) -> str:
    """The same command; `folder` names the run to go on with, where the command did not."""
    words = [PROGRAM, *map(quoted, without_password(arguments))]
    named = any(word == "--run-dir" or word.startswith("--run-dir=") for word in arguments)
    if folder is not None and not named:
        words += ["--run-dir", quoted(str(folder))]
    return " ".join(words)
