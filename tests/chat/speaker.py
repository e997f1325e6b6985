"""A worker that speaks the words of the question back, one at a time, until it is told to stop."""

import json
import sys
import time
from pathlib import Path


def emit(**event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


path = sys.argv[1]
while path:
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    stop = Path(path).parent / job["stop_file"]
    words = job["turns"][-1]["content"].split()
    finish, said = "stop", 0
    if words[0] == "die":
        sys.exit(7)
    for word in words:
        while word == "wait" and not stop.exists():
            time.sleep(0.01)
        while word == "hang":
            time.sleep(1)
        if stop.exists():
            finish = "interrupted"
            break
        if said == job["max_new_tokens"]:
            finish = "length"
            break
        emit(kind="said", text=f"{word} ")
        said += 1
    forgotten = 1 if len(job["turns"]) > 4 else 0
    emit(kind="answer_ended", finish=finish, new_tokens=said, seconds=0.5, forgotten=forgotten)
    emit(kind="finished")
    path = sys.stdin.readline().strip()
