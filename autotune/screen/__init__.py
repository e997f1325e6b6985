"""What a person sees of a run: a live screen or plain lines. Views draw, never decide."""

from autotune.screen.device_sample import DeviceSample
from autotune.screen.live import LiveView, make_view
from autotune.screen.plain import PlainView
from autotune.screen.summary import probe_summary, summary
from autotune.screen.view import View
from autotune.text.events import describe

__all__ = [
    "DeviceSample",
    "LiveView",
    "PlainView",
    "View",
    "describe",
    "make_view",
    "probe_summary",
    "summary",
]
