"""The command line: parse, load, call, print, exit."""

from autotune.cli.start import main

__all__ = ["main"]
