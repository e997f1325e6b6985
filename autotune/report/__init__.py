"""The report of a run: what it found, with all that is needed to judge it, as data and pages."""

from autotune.report.build import build_report
from autotune.report.schema import Report, run_json
from autotune.report.write import write_report

__all__ = ["Report", "build_report", "run_json", "write_report"]
