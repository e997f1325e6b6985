"""What a run works with: its target and names, and the device with its memory."""

from rich.console import RenderableType
from rich.text import Text

from autotune.base.format import duration, percent, safe
from autotune.run.state import StudyState
from autotune.screen.device_sample import DeviceSample
from autotune.screen.layout import bar_text
from autotune.text.training_events import power_text

MEMORY_COLUMNS = 16


def header(state: StudyState, now: float) -> Text:
    """What is run on what for which target: names, not results."""
    run = state.run
    if run is None:
        asked = f"  practice data of {safe(state.practice.model)}" if state.practice else ""
        return Text("smolsft-autotune", style="bold", overflow="fold").append(asked, style="dim")
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
    line = Text(overflow="fold").append("smolsft-autotune", style="bold magenta")
    for name, value in parts:
        line.append(f"  {name} ", style="dim").append_text(value)
    return line


def device(state: StudyState, sample: DeviceSample) -> RenderableType:
    """The device's name and what is known of it: memory against the limit, heat, power."""
    named = state.run or state.practice
    name, note = named.device if named else "device", sample.note
    if note.startswith(name) or named is None:
        name, note = note or name, ""
    share = sample.share
    over = share is not None and share > 1
    text = Text(overflow="fold").append(safe(name), style="bold")
    if share is None and sample.limit_bytes:
        text.append(f"  memory limit {sample.limit}")
    elif share is not None:
        text.append("  memory ").append_text(
            bar_text(share, MEMORY_COLUMNS, "red" if over else "green")
        )
        text.append(f" {sample.memory} {percent(share, 0)}", style="red" if over else "")
    if sample.temperature_c is not None:
        text.append(f"  temperature {sample.temperature_c:.0f} C", style="dim")
    if sample.power_watts is not None:
        text.append(f"  power {power_text(sample.power_watts, sample.limit_watts)}", style="dim")
    if sample.throttled_by:
        text.append(f"  throttled by {', '.join(sample.throttled_by)}", style="yellow")
    if sample.on_battery:
        text.append("  on battery", style="bold yellow")
    if note:
        text.append(f"  {safe(note)}", style="yellow")
    return text
