"""The commands that hand a model on: `chat` and `export`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from autotune.cli.first_line import first_line
from autotune.cli.options import Options
from autotune.cli.setting import Command

Register = Callable[[Command], Callable[[Callable[..., int]], Callable[..., int]]]
"""What makes a function a command by a name."""


def add_out_commands(command: Register) -> None:
    """Make them commands."""

    @command("chat")
    def chat(
        target: Annotated[
            Path, typer.Argument(metavar="RUN-DIR|FOLDER", help="A run, for its best; or a model.")
        ],
        options: Options,
        max_new_tokens: Annotated[
            int, typer.Option("--max-new-tokens", metavar="N", help="Longest answer.")
        ] = 512,
    ) -> int:
        """Talk with a run's best, or any model folder. Piped: a line in, an answer out."""
        from autotune.cli.chat import chat_command

        return chat_command(target, options, max_new_tokens)

    @command("export")
    def export(
        target: Annotated[
            Path, typer.Argument(metavar="RUN-DIR|FOLDER", help="A run, for its best; or a model.")
        ],
        options: Options,
        to: Annotated[
            str | None,
            typer.Option(
                "--to",
                metavar="gguf|trl|axolotl|llamafactory|script|lm-eval",
                help="A file for llama.cpp and Ollama; the training for another trainer, or as one"
                " script; the score by lm-evaluation-harness.",
            ),
        ] = None,
        kind: Annotated[
            str | None,
            typer.Option("--type", metavar="f16|q8_0|f32", help="Numbers of a GGUF file; f16."),
        ] = None,
        out: Annotated[
            Path | None,
            typer.Option(
                "--out", metavar="FOLDER", help="Default: export/ in the run, else a folder here."
            ),
        ] = None,
    ) -> int:
        """Hand on a run's best, or the training that made it, to another tool."""
        if target.is_dir() and to is not None:
            first_line("reading what is to be exported", as_json=options.as_json)
        from autotune.cli.export import ExportRequest, export_command

        return export_command(ExportRequest(target, to, kind, out), options.as_json)
