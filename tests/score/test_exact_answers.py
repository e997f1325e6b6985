"""The scorer of exact final answers: its rule, its files, its report and its way through `eval`."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.cli.main import run
from autotune.protocol.results import EvalReport
from autotune.score.answers import Answer
from autotune.score.exact.final import expected_of, final_of
from autotune.score.exact.prompts import ExactPrompt, read_exact_prompts
from autotune.score.exact.scorer import Exact, constant_answers
from autotune.score.examples import worst
from autotune.score.prompts import repeated_line, written_prompts

RATIONALE = "She sold 48 / 2 = <<48/2=24>>24 clips in May.\nTogether 48 + 24 = 72.\n#### 72"


def passes(answer: str, response: str) -> bool:
    expected = expected_of(answer)
    assert expected is not None
    found = final_of(response, expected)
    return found is not None and found.identity == expected.identity


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        ("42", "6 times 7 is 42."),
        ("42", "It is 42, I think"),
        ("42.", "42"),
        (RATIONALE, "In all she sold 72 clips."),
        (RATIONALE, "#### 72"),
        ("72", "First 48, then 24.\n#### 72\nThat took 2 months."),
        ("72", "#### Step 1\nAdd them.\n#### Step 2\nSo it is 72"),
        ("7", "#### **7**"),
        ("42", r"Therefore \boxed{42}"),
        ("1,234", "1234"),
        ("1234", "$1,234.00"),
        ("1234567", "1\u202f234\u202f567 people"),
        ("18", "US$18 a day"),
        ("$18", "18 dollars"),
        ("18", "$18$"),
        ("50", "50%"),
        ("50 %", "50"),
        ("0.5", "0.50"),
        ("0.5", ".5"),
        ("0.5", "1/2"),
        ("1/3", "2 / 6"),
        ("1000", "1e3"),
        ("0.05", "5E-2"),
        ("-5", "x = -5"),
        ("-5", "x = \u22125"),
        ("-5", "-$5"),
        ("-5", "$-5"),
        ("3", "It was 7-3"),
        ("0.1", "0.10000"),
        ("10000000000000000000001", "10,000,000,000,000,000,000,001"),
        ("20", "20 m2"),
        ("42", "答案是42。"),
        ("Paris", "paris."),
        ("Paris", "Well:\n\n  PARIS  \n"),
        ("New York", "#### new   york\nThat is my answer"),
        ("So it is\n#### 42\nThat is all", "42"),
        ("42 km", "42  KM"),
    ],
)
def test_an_answer_that_ends_in_the_right_one_passes(answer: str, response: str) -> None:
    assert passes(answer, response)


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        ("42", "41"),
        ("42", "I do not know."),
        ("42", ""),
        ("42", "42 and not 43"),
        ("42", "-42"),
        ("-42", "42"),
        ("72", "72\n#### 24"),
        ("0.5", "50%"),
        ("3.5", "3,5"),
        ("1/3", "0.33"),
        ("10000000000000000000001", "1e22"),
        ("1", "1/0"),
        ("1", "1e999999999"),
        ("2", "20 m2"),
        ("Paris", "The capital is Paris"),
        ("Paris", "Paris\nor Rome"),
        ("42 km", "42"),
    ],
)
def test_another_final_answer_fails(answer: str, response: str) -> None:
    assert not passes(answer, response)


def test_a_text_of_digits_without_end_is_judged_at_once() -> None:
    for text in ("9" * 200_000, "1," * 100_000, "1/" * 100_000, "#### " * 40_000, "-$ " * 60_000):
        assert not passes("42", text)


def written(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    return path


def test_a_file_needs_a_prompt_and_an_answer_a_line_and_may_hold_more(tmp_path: Path) -> None:
    path = written(
        tmp_path / "math.jsonl",
        {"prompt": "What is 6 times 7?", "answer": "42", "level": 1},
        {"prompt": "And half of that?", "answer": 21},
        {"prompt": "And a tenth?", "answer": 4.2, "key": 7},
    )
    prompts = read_exact_prompts(path)
    assert [(p.key, p.answer) for p in prompts] == [(0, "42"), (1, "21"), (7, "4.2")]
    kept = written(tmp_path / "kept.jsonl", *(json.loads(p.model_dump_json()) for p in prompts))
    assert written_prompts(kept, ExactPrompt) == prompts


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({"prompt": "b"}, "lacks 'answer'; a prompt of --scorer exact has prompt and answer"),
        ({"answer": "1"}, "lacks 'prompt'"),
        ({"prompt": "b", "answer": " "}, "answer is blank"),
        ({"prompt": "b", "answer": "so it is\n#### "}, "answer is blank"),
        ({"prompt": "b", "answer": "6 times 7\nis 42."}, "answer has several lines and none of"),
        ({"prompt": "b", "answer": None}, "answer must be a text or a number, not null"),
        ({"prompt": "b", "answer": True}, "answer must be a text or a number"),
        ({"prompt": "b", "answer": ["1"]}, "answer must be a text or a number"),
        ({"prompt": " ", "answer": "1"}, "prompt must be a text that is not blank"),
        ({"prompt": "b", "answer": "1", "key": 0}, "key 0 is taken by"),
    ],
)
def test_a_record_that_cannot_be_judged_is_refused_with_its_row(
    tmp_path: Path, record: object, fault: str
) -> None:
    path = written(tmp_path / "math.jsonl", {"prompt": "a", "answer": "1"}, record)
    with pytest.raises(BadInput) as caught:
        read_exact_prompts(path)
    assert str(caught.value).startswith(f"{path}:2: {fault}")
    assert "\n" not in str(caught.value)


PROMPTS = (
    ExactPrompt(key=0, prompt="What is 6 times 7?", answer="42"),
    ExactPrompt(key=1, prompt="What is 40 plus 2?", answer=f"40 and 2.\n#### {42}"),
    ExactPrompt(key=2, prompt="What is half of 5?", answer="2.5"),
    ExactPrompt(key=3, prompt="Where is the Louvre?", answer="Paris"),
)


def scored(*responses: str | None) -> tuple[EvalReport, Sequence[Answer]]:
    answers = [
        Answer(key=p.key, prompt=p.prompt, response=text, finish="stop")
        for p, text in zip(PROMPTS, responses, strict=False)
    ]
    return Exact().score(PROMPTS, answers), answers


def test_a_prompt_that_stands_twice_is_scored_twice_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [{"prompt": p.prompt, "answer": p.answer} for p in (*PROMPTS, PROMPTS[1])]
    prompts = written(tmp_path / "math.jsonl", *asked)
    given = {"prompt": PROMPTS[1].prompt, "response": "42"}
    answers = written(tmp_path / "answers.jsonl", given)
    wanted = ["--scorer", "exact", "--prompts", str(prompts), "--responses", str(answers)]
    assert run(["eval", "--json", *wanted]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["prompt_strict"] == {"passes": 2, "total": 5, "accuracy": 0.4}
    told = " ".join(said.err.split())
    assert "1 prompt of 4 stands more than once in the prompts (first: keys 1 and 4)" in told
    assert "no answer to 3 prompts (keys 0, 2, 3): counted as failed" in told
    assert repeated_line(PROMPTS) is None


def test_the_report_counts_exact_answers_and_those_with_the_mark() -> None:
    report, answers = scored("It is 42", "#### 42", "5/2 is 3", "paris")
    assert (report.score.passes, report.n) == (3, 4)
    assert report.figures["marked"].passes == 1
    assert report.health.vacuous == 0.0  # "paris" is all that was asked for
    (example,) = worst(Exact(), PROMPTS, answers, report, 3)
    assert example.failed == ("ends in 3, 2.5 is right",)
    assert EvalReport.model_validate_json(report.model_dump_json()) == report


def test_answers_that_are_missing_or_end_in_nothing_fail_and_say_so() -> None:
    report, answers = scored("none", None, "")
    assert (report.score.passes, report.unmatched) == (0, (3,))
    said = [each.failed for each in worst(Exact(), PROMPTS, answers, report, 4)]
    assert said == [("no answer",), ("no answer",), ("no number, 42 is right",)]


def test_the_baseline_gives_every_prompt_the_most_common_answer() -> None:
    report = Exact().score(PROMPTS, constant_answers(PROMPTS))
    assert (report.score.passes, report.score.total) == (2, 4)


def test_eval_scores_answers_by_the_exact_scorer_and_names_its_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = written(
        tmp_path / "math.jsonl", *({"prompt": p.prompt, "answer": p.answer} for p in PROMPTS)
    )
    given = ("42", "It is 42.", "2", "Rome")
    answers = written(
        tmp_path / "answers.jsonl",
        *({"prompt": p.prompt, "response": r} for p, r in zip(PROMPTS, given, strict=True)),
    )
    asked = ["--scorer", "exact", "--prompts", str(prompts), "--responses", str(answers)]
    samples = tmp_path / "samples.jsonl"
    code = run(["eval", "--json", "--target", "0.9", "--samples", str(samples), *asked])
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert code == 1
    assert (found["scorer"], found["prompt_strict"]["passes"], found["n"]) == ("exact", 2, 4)
    assert found["instruction_strict"] is None
    assert found["baselines"]["constant"]["passes"] == 2
    assert "exact answers: 2/4 50.0 %" in said.err
    assert "marked with ####: 0/4" in said.err
    assert "ends in 2, 2.5 is right" in said.err
    assert "instruction" not in said.err and "echo baseline" not in said.err
    logged = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    assert [each["exact_match"] for each in logged] == [1.0, 1.0, 0.0, 0.0]
    assert logged[1]["target"] == PROMPTS[1].answer
