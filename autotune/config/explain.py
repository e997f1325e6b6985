"""What is wrong in a profile: a line for every fault, with key, value, rule and the nearest key."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from autotune.base.near import near_or_known
from autotune.config.profile import Profile
from autotune.config.strategy_faults import strategy_faults

Location = tuple[int | str, ...]

_LONGEST_VALUE = 60
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its place, the key with its value, and the rule that it breaks."""

    where: Location
    subject: str
    rule: str


def faults_of(document: Mapping[str, Any], text: str) -> list[str]:
    """A line for every fault of a profile; see `faults_at`."""
    return [f"{fault.subject}: {fault.rule}" for fault in faults_at(document, text)]


def faults_at(document: Mapping[str, Any], text: str) -> list[Fault]:
    """Every fault of a profile, in the order of the model's keys.

    `document` is the parsed TOML and `text` the same as JSON, which is what is validated.
    """
    try:
        Profile.model_validate_json(text)
    except ValidationError as error:
        details = error.errors(include_url=False)
    else:
        return []
    rules: dict[Location, list[str]] = {}
    for detail in details:
        rule = _rule(detail)
        found = rules.setdefault(_location(detail, document), [])
        if rule not in found:
            found.append(rule)
    faults = [_fault(document, where, found) for where, found in rules.items()]
    if ("strategy",) not in rules:  # pydantic skips this check while one strategy is at fault
        faults += [Fault(("strategy",), "strategy", f) for f in _between_strategies(document)]
    return faults


def _location(detail: ErrorDetails, document: Mapping[str, Any]) -> Location:
    """The key at fault; what the model adds to tell members of a union apart is left out."""
    parts: list[int | str] = []
    value: Any = document
    for part in detail["loc"]:
        if isinstance(value, Mapping) and isinstance(part, str):
            if part not in value:
                if detail["type"] == "missing":
                    parts.append(part)
                break
        elif not (isinstance(value, list) and isinstance(part, int) and part < len(value)):
            break
        parts.append(part)
        value = value[part]
    return tuple(parts)


def _rule(detail: ErrorDetails) -> str:
    """The rule that was broken, beginning with `must` where the model has one for it."""
    kind = detail["type"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is not known"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    return detail["msg"].replace("Input should be", "must be").replace("Input should", "must")


def _fault(document: Mapping[str, Any], where: Location, rules: list[str]) -> Fault:
    name = _name(document, where)
    if rules == ["is missing"]:
        return Fault(where, name, "is missing; add it")
    if rules == ["is not known"]:
        return Fault(where, name, f"no such key; {_meant(where)}")
    value = _value(document, where)
    rule = " or ".join([rules[0], *(r.removeprefix("must be ") for r in rules[1:])])
    if where == ("strategy",) and isinstance(value, list) and value:
        return Fault(where, name, rule)
    if isinstance(value, Mapping) and not rule.startswith("must"):
        return Fault(where, name, rule)  # a rule of a table: what matters of it is in the sentence
    return Fault(where, f"{name} = {_shown(value)}", f"{rule}{_unquote(value, rule)}")


def _name(document: Mapping[str, Any], where: Location) -> str:
    """`train.seed`; a strategy by its name, `strategy.A.seed`, or by its place from 1."""
    words: list[str] = []
    for depth, part in enumerate(where):
        if isinstance(part, str):
            words.append(part)
            continue
        item = _value(document, where[: depth + 1])
        title = item.get("name") if isinstance(item, Mapping) and where[0] == "strategy" else None
        words.append(title if isinstance(title, str) and title else str(part + 1))
    return ".".join(words)


def _value(document: Mapping[str, Any], where: Location) -> Any:
    value: Any = document
    for part in where:
        value = value[part]
    return value


def _shown(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _unquote(value: Any, rule: str) -> str:
    """The remedy for a number in quotes, or for a share that is written as a percentage."""
    if not isinstance(value, str) or ("number" not in rule and "integer" not in rule):
        return ""
    if value.rstrip().endswith("%"):
        try:
            return f"; write {float(value.rstrip().removesuffix('%')) / 100:g}"
        except ValueError:
            return ""
    try:
        float(value)
    except ValueError:
        return ""
    return f"; write {value} without quotes"


def _meant(where: Location) -> str:
    return near_or_known(str(where[-1]), known_keys(where[:-1]))


def known_keys(where: Location) -> list[str]:
    """The keys of the table at `where`, as TOML spells them; empty where that is no table."""
    keys = _keys(Profile)
    for part in where:
        if isinstance(part, str):
            model = _model_in(keys.get(part))
            keys = _keys(model) if model else {}
    return list(keys)


def _keys(model: type[BaseModel]) -> dict[str, Any]:
    """Key -> type of its value."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in a type such as `tuple[Strategy, ...]`, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)


def _between_strategies(document: Mapping[str, Any]) -> list[str]:
    found = document.get("strategy")
    if not isinstance(found, list) or not all(isinstance(table, Mapping) for table in found):
        return []
    return strategy_faults(found)
