"""What a person sees of a run: a live screen or plain lines. Views draw, never decide."""

from autotune.sentences import describe
from autotune.view.closing import probe_summary, summary
from autotune.view.live import LiveView, make_view
from autotune.view.plain import PlainView
from autotune.view.port import DeviceSample, View

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
