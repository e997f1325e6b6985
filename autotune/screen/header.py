"""What a run works with: its target and names, and the device with its memory."""

from rich.console import RenderableType
from rich.text import Text

from autotune.base.format import duration, percent, safe
from autotune.run.state import StudyState
from autotune.screen.device_sample import DeviceSample
from autotune.screen.layout import Flow, bar_text
from autotune.text.training_events import power_text

MEMORY_COLUMNS = 16


def header(state: StudyState, now: float) -> Flow:
    """What is run on what for which target: names, not results."""
    run, program = state.run, Text("smolsft-autotune", style="bold magenta")
    if run is None:
        asked = f"practice data of {safe(state.practice.model)}" if state.practice else ""
        return Flow([program, *([_item(asked, "dim")] if asked else [])])
    tried = Text(" > ").join(
        Text(safe(name), style="bold" if name == state.strategy else "dim")
        for name in run.strategies
    )
    own = state.own_surveys.get(state.strategy or "")
    parts: list[tuple[str, Text]] = [
        *([("target", Text(percent(run.target), style="bold"))] if run.target else []),
        ("strategy", tried),
        ("profile", Text(safe(run.profile))),
        ("model", Text(safe(run.model))),
        ("data", Text(safe(own.data if own else run.data))),
        ("prompts", Text(f"{safe(run.prompts)} ({run.prompt_count})")),
    ]
    if state.started is not None:
        end = now if state.ended is None else state.now or now
        parts.append(("since start", Text(duration(int(end - state.started)))))
    return Flow([program, *(_item(f"{name} ", "dim").append_text(value) for name, value in parts)])


def _item(text: str, style: str = "") -> Text:
    """A part of a line; where it is longer than one it is broken, and never cut."""
    return Text(overflow="fold").append(text, style=style)


def device(state: StudyState, sample: DeviceSample) -> RenderableType:
    """The device's name and what is known of it: memory against the limit, heat, power."""
    named = state.run or state.practice
    name, note = named.device if named else "device", sample.note
    if note.startswith(name) or named is None:
        name, note = note or name, ""
    share = sample.share
    over = share is not None and share > 1
    items = [_item(safe(name), "bold")]
    if state.ended is not None:
        pass  # nothing works, so nothing is in use
    elif share is None and sample.limit_bytes:
        items.append(_item(f"memory limit {sample.limit}"))
    elif share is not None:
        bar = bar_text(share, MEMORY_COLUMNS, "red" if over else "green")
        items.append(_item("memory ").append_text(bar))
        items.append(_item(f"{sample.memory} {percent(share, 0)}", "red" if over else ""))
    if sample.temperature_c is not None:
        items.append(_item(f"temperature {sample.temperature_c:.0f} C", "dim"))
    if sample.power_watts is not None:
        power = power_text(sample.power_watts, sample.limit_watts)
        items.append(_item(f"power {power}", "dim"))
    if sample.throttled_by:
        items.append(_item(f"throttled by {', '.join(sample.throttled_by)}", "yellow"))
    if sample.on_battery:
        items.append(_item("on battery", "bold yellow"))
    if note:
        items.append(_item(safe(note), "yellow"))
    return Flow(items)
