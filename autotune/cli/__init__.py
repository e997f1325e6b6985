"""The command line: parse, load, call, print, exit."""

from autotune.cli.main import main

__all__ = ["main"]
