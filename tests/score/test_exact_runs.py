"""A run by the scorer of exact answers: its report, what it is told, its answers compared."""

import json
from pathlib import Path

import pytest

from autotune.cli.main import run
from autotune.cli.misplaced import meant_for
from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.protocol.scores import Metric
from autotune.report.build import build_report
from autotune.report.write import render_html, render_markdown
from autotune.run.state import replay
from autotune.score.exact.prompts import ExactPrompt
from autotune.text.conclusions import conclusions, next_steps
from tests import records


def exact_story(passes_of_constant: int) -> list[Record]:
    """The story of a run that met its target, told of exact answers."""

    def changed(event: events.RunEvent) -> events.RunEvent:
        match event:
            case events.RunStarted():
                return event.model_copy(update={"scorer": "exact"})
            case events.BaselineScored(name="echo"):
                score = Metric.of(passes_of_constant, event.score.total)
                return event.model_copy(update={"name": "constant", "score": score})
            case events.Evaluated():
                other = dict.fromkeys(("instruction_strict", "prompt_loose", "instruction_loose"))
                marked = {"figures": {"marked": Metric.of(1, records.PROMPTS)}}
                return event.model_copy(update=other | marked)
        return event

    return [r.model_copy(update={"event": changed(r.event)}) for r in records.story()]


def test_the_report_has_the_columns_and_the_baseline_of_its_scorer(tmp_path: Path) -> None:
    report = build_report(exact_story(2), tmp_path)
    text, page = render_markdown(report), render_html(report)
    assert "| answers of | answers exact \\[95 %\\] | stop | loop | echo | empty |\n" in text
    assert "| baseline: the most common answer, to every prompt (constant) | 2/24 " in text
    assert 'answers exact <span class="whole">[95 %]</span>' in page
    assert '<th scope="col" class="n">with ####</th>' in page
    for other in ("prompts passed", "instruct. strict", "(echo)", "vacuous |"):
        assert other not in text and other not in page
    assert not report.beaten_by_echo
    tree = json.loads(report.model_dump_json())
    assert tree["scorer"] == "exact"
    assert tree["best"]["figures"]["marked"]["passes"] == 1
    assert tree["best"]["instruction_strict"] is None


def test_no_better_than_a_constant_is_said_and_nobody_is_sent_to_ifeval(tmp_path: Path) -> None:
    state = replay(exact_story(20))
    said = " ".join(conclusions(state))
    assert "Giving every prompt the most common answer scores 20/24" in said
    assert "the best checkpoint is no better than a constant." in said
    assert "echo" not in said
    assert "IFEval" not in " ".join(next_steps(state, tmp_path))
    assert build_report(exact_story(20), tmp_path).beaten_by_echo


def test_a_file_of_prompts_with_answers_is_known_for_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "math.jsonl"
    path.write_text('{"prompt": "2 + 2?", "answer": 4}\n', encoding="utf-8")
    assert (meant_for(str(path), ("--prompts", "--data")) or "").startswith("--prompts ")


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    """Two evaluations in a run that the scorer of exact answers judges."""
    prompts = [ExactPrompt(key=k, prompt=f"{k} + 1?", answer=f"#### {k + 1}") for k in range(4)]
    lines = "".join(p.model_dump_json() + "\n" for p in prompts)
    (tmp_path / "prompts.jsonl").write_text(lines, encoding="utf-8")
    settings = '[prompts]\nscorer = "exact"\n[evaluate]\nthink = "keep"\n'
    (tmp_path / "run.toml").write_text(settings, encoding="utf-8")
    folders = []
    for name, extra in (("before", 9), ("after", 1)):
        folder = tmp_path / "eval" / name
        folder.mkdir(parents=True)
        given = [
            {"key": p.key, "prompt": p.prompt, "response": f"It is {p.key + extra}"}
            for p in prompts
        ]
        text = "".join(json.dumps(each) + "\n" for each in given)
        (folder / "responses.jsonl").write_text(text, encoding="utf-8")
        folders.append(str(folder))
    return folders[0], folders[1]


def test_two_sets_of_answers_are_compared_by_what_judged_their_run(
    two: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["eval", "compare", *two, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["only_second"] == 4
    assert "exact answers: 4/4" in said.err


def test_another_scorer_cannot_judge_the_prompts_of_a_run(
    two: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["eval", "compare", *two, "--scorer", "ifeval"]) == 2
    said = capsys.readouterr().err
    assert "--scorer ifeval: the prompts of " in said
    assert "are for the scorer exact; leave it out" in said
