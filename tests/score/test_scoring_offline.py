"""Scoring needs no network and no data but what its packages carry."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import socket, sys

def refuse(*args, **kwargs):
    raise OSError("the network was asked")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse

from autotune.score.answers import Answer
from autotune.score.ifeval.scorer import IFEval
from autotune.score.ifeval.prompts import IFEvalPrompt

assert not {"nltk", "punkt", "langdetect"} & set(sys.modules), "not lazy"
prompt = IFEvalPrompt(
    key=1,
    prompt="p",
    instruction_id_list=(
        "length_constraints:number_sentences",
        "change_case:capital_word_frequency",
        "language:response_language",
        "keywords:existence",
    ),
    kwargs=(
        {"num_sentences": 2, "relation": "at least"},
        {"capital_frequency": 1, "capital_relation": "at least"},
        {"language": "en"},
        {"keywords": ("nurse",)},
    ),
)
answer = Answer(prompt="p", response="Dr. Smith met the NASA nurse here. He was very tired.")
report = IFEval().score([prompt], [answer])
assert [v.error for v in report.verdicts[0].instructions] == [None] * 4, report
assert report.score.passes == 1, report
unasked = {"torch", "transformers", "datasets", "pandas", "if_verifiable"} & set(sys.modules)
assert not unasked, unasked
"""


def test_a_set_is_scored_without_network_without_data_and_without_torch(tmp_path: Path) -> None:
    empty = str(tmp_path)
    environment = os.environ | {
        "NLTK_DATA": empty,
        "HOME": empty,
        "USERPROFILE": empty,
        "APPDATA": empty,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
