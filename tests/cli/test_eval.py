"""`eval`: scores with what it takes to read them, comparisons, prompts and scorers of one's own."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import ExitCode
from autotune.base.format import quoted
from autotune.cli.find_answers import untrained_answers
from autotune.cli.main import run
from autotune.cli.selection_bias import with_selection_bias
from autotune.protocol import events
from autotune.protocol.results import Checkpoint, EvalReport, HealthLimits, Requirements
from autotune.run.folder import RunDir
from autotune.score.answers import Answer
from autotune.score.evaluation import evaluate, pair
from autotune.score.health import echo_answers
from autotune.score.ifeval.prompts import IFEvalPrompt, read_ifeval_prompts
from autotune.score.ifeval.scorer import IFEval
from autotune.score.registry import SCORERS
from autotune.screen.eval import compared_summary, evaluated_summary
from tests import records
from tests.asked import prompt_of
from tests.contains import Contains
from tests.screens import printed
from tests.sources.test_model import safetensors

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
LIMITS = HealthLimits(min_stop=0.8, max_loop=0.2, max_echo=0.1, max_empty=0.05)
COUNTING: dict[str, Any] = {"score_per_lift": 4.0, "required": Requirements()}

NO_COMMA = ("punctuation:no_comma", {})
LONG = ("length_constraints:number_sentences", {"num_sentences": 5, "relation": "at least"})


def asked() -> list[IFEvalPrompt]:
    """Four questions without commas, the last of them for five sentences too."""
    wishes = [(NO_COMMA,), (NO_COMMA,), (NO_COMMA,), (NO_COMMA, LONG)]
    return [
        prompt_of(*wish, key=key).model_copy(update={"prompt": f"Describe sea number {key} to me."})
        for key, wish in enumerate(wishes)
    ]


GOOD = "It is wide and grey and full of fish."
BAD = "Wide, grey, deep. I like it. So do the fish."


def write_lines(path: Path, lines: Sequence[Any]) -> str:
    path.write_text("".join(line.model_dump_json() + "\n" for line in lines), encoding="utf-8")
    return str(path)


def answers(*texts: str, finish: str | None = "stop") -> list[Answer]:
    return [
        Answer.model_validate(
            {"key": p.key, "prompt": p.prompt, "response": text, "finish": finish}
        )
        for p, text in zip(asked(), texts, strict=False)
    ]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, str]:
    """The prompts, a poor and a better set of answers."""
    monkeypatch.chdir(tmp_path)
    return (
        write_lines(tmp_path / "prompts.jsonl", asked()),
        write_lines(tmp_path / "poor.jsonl", answers(BAD, BAD, GOOD, BAD)),
        write_lines(tmp_path / "better.jsonl", answers(GOOD, GOOD, BAD, BAD)),
    )


def said(
    capsys: pytest.CaptureFixture[str], *arguments: str, code: int = ExitCode.DONE
) -> tuple[dict[str, Any], str]:
    """The object on standard output, and what a person reads, on one line."""
    assert run(["eval", *arguments, "--profile", "cpu-smoke", "--json"]) == code
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    return json.loads(captured.out), " ".join(captured.err.replace("│", " ").split())


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["eval", *arguments, "--profile", "cpu-smoke"]) == ExitCode.BAD_INPUT
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    return captured.err


def test_a_score_comes_with_n_interval_health_echo_and_the_sound_passes(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    prompts, poor, _ = files
    found, human = said(capsys, "--responses", poor, "--prompts", prompts)
    assert (found["n"], found["scorer"]) == (4, "ifeval")
    assert found["prompt_strict"] == {"passes": 1, "total": 4, "accuracy": 0.25}
    assert 0 < found["interval"][0] < 0.25 < found["interval"][1] < 1
    assert set(found["health"]) == {"stop", "loop", "echo", "empty", "vacuous"}
    assert found["sound"]["passes"] == 1
    assert found["baselines"]["echo"]["passes"] == 3
    assert found["chosen_among"] is None
    assert "met" not in found
    assert "prompt strict: 1/4 25.0 % [5-70]" in human
    assert found["means"] == {"strict": 0.225, "loose": 0.225, "four": 0.225}
    assert "mean of the strict two 22.5 %, of the loose two 22.5 %, of all four 22.5 %" in human
    assert "echo baseline: 3/4 75.0 %" in human


def test_worst_answers_come_with_the_failed_rules_in_words(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    prompts, poor, _ = files
    found, human = said(capsys, "--responses", poor, "--prompts", prompts, "--examples", "1")
    (worst,) = found["examples"]["worst"]
    assert worst["key"] == 3
    assert worst["failed"] == [
        "2 commas, none is allowed",
        "3 sentences, at least 5 are required",
    ]
    assert "fails: 3 sentences, at least 5 are required" in human


def test_before_and_after_are_compared_where_the_answers_before_are_given(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    prompts, poor, better = files
    found, human = said(capsys, "--responses", better, "--prompts", prompts, "--baseline", poor)
    assert found["baselines"]["untrained"]["passes"] == 1
    before = found["before"]
    assert (before["only_first"], before["only_second"], before["both"]) == (1, 2, 0)
    assert before["p_value"] == 1.0
    assert [c["before"]["key"] for c in found["examples"]["gained"]] == [0, 1]
    assert [c["before"]["key"] for c in found["examples"]["lost"]] == [2]
    assert "before training: 1/4 25.0 %" in human
    assert "passes only after training prompt 0" in human


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the IFEval files in ../shared")
def test_the_parrot_reaches_a_quarter_and_is_told_why_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = SHARED / "ifeval" / "input_data.jsonl"
    parrot = write_lines(tmp_path / "echo.jsonl", echo_answers(read_ifeval_prompts(prompts)))
    found, human = said(
        capsys,
        *("--responses", parrot, "--prompts", str(prompts), "--target", "0.24"),
        code=ExitCode.BELOW_TARGET,
    )
    assert found["prompt_strict"]["passes"] == 134
    assert found["sound"]["passes"] == 0
    assert found["met"] is False
    assert "target 24.0 % not met: the score counts for 0.0 %" in human
    assert "Not healthy: echo 100 % is above 10 %" in human
    assert "Excluding 134 passes by echoing, looping or trivial answers: 0/541 0.0 %." in human


def test_answers_of_one_word_pass_and_meet_no_target(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = write_lines(tmp_path / "short.jsonl", answers("OK", "Sure", "OK", "Fine"))
    found, human = said(
        capsys,
        *("--responses", short, "--prompts", files[0], "--target", "0.5"),
        code=ExitCode.BELOW_TARGET,
    )
    assert found["prompt_strict"]["passes"] == 3
    assert found["unhealthy"] == ["vacuous 100 % is above 10 %"]
    assert (
        "echoing, looping or trivial answers: " in human and "trivial 100 % is above 10 %" in human
    )


def test_an_answer_to_a_reworded_prompt_is_listed_as_unmatched(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = answers(GOOD, GOOD)
    given[1] = given[1].model_copy(update={"prompt": "Another question."})
    path = write_lines(tmp_path / "old.jsonl", given)
    found, human = said(capsys, "--responses", path, "--prompts", files[0])
    assert found["unmatched"] == [1, 2, 3]
    assert "no answer to 3 prompts (keys 1, 2, 3): counted as failed" in human


def test_samples_have_the_fields_of_lm_evaluation_harness(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = files[0]
    given = write_lines(tmp_path / "a.jsonl", answers(BAD, f"Well, {GOOD}\n{GOOD}", GOOD, BAD))
    where = tmp_path / "samples.jsonl"
    said(capsys, "--responses", given, "--prompts", prompts, "--samples", str(where))
    lines = [json.loads(line) for line in where.read_text(encoding="utf-8").splitlines()]
    assert [line["doc_id"] for line in lines] == [0, 1, 2, 3]
    last = lines[3]
    assert last["doc"]["instruction_id_list"] == [NO_COMMA[0], LONG[0]]
    assert last["arguments"]["gen_args_0"]["arg_0"] == asked()[3].prompt
    assert (last["resps"], last["filtered_resps"]) == ([[BAD]], [BAD])
    assert last["prompt_level_strict_acc"] is False
    assert last["inst_level_strict_acc"] == [False, False]
    assert [line["prompt_level_strict_acc"] for line in lines] == [False, False, True, False]
    assert [line["prompt_level_loose_acc"] for line in lines] == [False, True, True, False]
    assert len(last["doc_hash"]) == len(last["prompt_hash"]) == len(last["target_hash"]) == 64


def test_two_sets_of_answers_are_compared_prompt_by_prompt(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    prompts, poor, better = files
    found, human = said(capsys, "compare", poor, better, "--prompts", prompts)
    assert (found["n"], found["left_out"]) == (4, 0)
    assert (found["first"]["prompt_strict"]["passes"], found["only_second"]) == (1, 2)
    assert "both pass 0, only A 1, only B 2, neither 1: +25.0 points" in human
    assert "no significant difference" in human


def test_a_clear_difference_is_named_with_its_p_value() -> None:
    prompts = [
        prompt_of(NO_COMMA, key=key).model_copy(update={"prompt": f"Name sea {key}."})
        for key in range(12)
    ]
    poor, good = (
        [Answer(key=p.key, prompt=p.prompt, response=text) for p in prompts] for text in (BAD, GOOD)
    )
    found = pair(IFEval(), prompts, poor, good, 1)
    assert found is not None
    assert found.comparison.p_value == pytest.approx(2 / 2**12)
    text = printed(compared_summary(IFEval(), found, ("a.jsonl", "b.jsonl")), 120)
    assert "B is better, a significant difference (exact McNemar, p = 0.00049)" in text


def test_answers_that_stand_beside_a_baseline_are_judged_once() -> None:
    judged: list[int] = []

    class Counted(IFEval):
        def score(self, prompts: Any, answers: Any) -> EvalReport:
            judged.append(sum(a.response == GOOD for a in answers))
            return super().score(prompts, answers)

    good, few = answers(*[GOOD] * 4), answers(BAD, GOOD)
    for before, times in ((answers(*[BAD] * 4), 1), (few, 2)):
        judged.clear()
        found = evaluate(Counted(), asked(), good, LIMITS, **COUNTING, examples=1, baseline=before)
        assert judged.count(4) == times
        assert found.before == pair(IFEval(), asked(), before, good, 1)


def test_prompts_that_only_one_was_asked_say_nothing(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts, poor, _ = files
    half = write_lines(tmp_path / "half.jsonl", answers(GOOD, GOOD))
    found, human = said(capsys, "compare", poor, half, "--prompts", prompts)
    assert (found["n"], found["left_out"], found["only_second"]) == (2, 2, 2)
    assert "of 2 prompts (2 without answers of both left out)" in human


def scored_run(root: Path) -> RunDir:
    """A run with an untrained model and one checkpoint, both scored."""
    run = RunDir(root)
    at = Checkpoint(step=5, progress=1.0, folder=str(root / "trials/0000/checkpoints/step-000005"))
    for folder, texts in (("untrained", (BAD,) * 4), ("trial-0000-step-000005", (GOOD,) * 4)):
        (root / "eval" / folder).mkdir(parents=True)
        write_lines(root / "eval" / folder / "responses.jsonl", answers(*texts))
    write_lines(run.prompts, asked())
    run.run_toml.write_text("", encoding="utf-8")
    for folder in ("best", "trials/0000/checkpoints/step-000005"):
        (root / folder).mkdir(parents=True)
    run.append(events.TrialStarted(number=0, optuna_number=0, plan=records.plan("A")), at=1.0)
    run.append(records.evaluated(0, at, 3), at=2.0)
    return run


@pytest.mark.parametrize("name", ["", "best", "trials/0000/checkpoints/step-000005"])
def test_a_run_its_best_and_a_checkpoint_stand_for_the_answers_they_gave(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = scored_run(tmp_path / "run").root
    found, _ = said(capsys, "compare", str(root / "eval" / "untrained"), str(root / name))
    assert (found["n"], found["only_second"]) == (4, 3)


def test_the_best_of_a_run_is_scored_with_how_many_it_was_chosen_among(tmp_path: Path) -> None:
    there = scored_run(tmp_path / "run")
    second = Checkpoint(step=6, progress=1.0, folder=str(there.root / "trials/0000/checkpoints/x"))
    there.append(records.evaluated(0, second, 2), at=3.0)
    there.append(events.BestCorrected(candidates=2, corrected=0.1, interval=(0.0, 0.3)), at=4.0)
    found = evaluate(IFEval(), asked(), answers(GOOD), LIMITS, **COUNTING, examples=0)
    best = with_selection_bias(found, there.best, asked())
    assert (best.chosen_among, best.corrected) == (2, 0.1)
    assert "Best of 2 checkpoints (selection bias)" in printed(evaluated_summary(best), 120)
    others = with_selection_bias(found, there.best, asked()[:2])
    assert (others.chosen_among, others.corrected) == (2, None)
    there.run_toml.write_text('[evaluate]\nthink = "strip"\n', encoding="utf-8")
    assert with_selection_bias(found, there.best, asked()).corrected is None  # of another text
    assert with_selection_bias(found, there.root / "eval", asked()) == found
    assert with_selection_bias(found, tmp_path, asked()) == found


def test_the_answers_before_training_are_found_in_the_run(tmp_path: Path) -> None:
    there = scored_run(tmp_path / "run")
    assert untrained_answers(there.best) == there.eval_folder("untrained") / "responses.jsonl"
    assert untrained_answers(tmp_path) is None
    assert untrained_answers(Path("HuggingFaceTB/SmolLM2-135M")) is None


def test_what_was_never_scored_cannot_be_compared(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model").mkdir()
    assert "score it first" in refused(capsys, "compare", str(tmp_path / "model"), files[1])
    assert "no such file" in refused(capsys, "compare", "nowhere", files[1])
    assert "needs two sets of answers, not 1" in refused(capsys, "compare", files[1])
    same = refused(capsys, "compare", files[1], files[1], "--prompts", files[0])
    assert same.endswith(f"are the same answers ({files[1]}); give two different sets\n")
    assert "eval compare A B" in refused(capsys, files[1], files[2])
    assert "--examples -1" in refused(capsys, "--responses", files[1], "--examples", "-1")
    other = write_lines(tmp_path / "other.jsonl", [prompt_of(NO_COMMA, key=99)])
    assert "no prompt in common" in refused(capsys, "compare", *files[1:], "--prompts", other)


def test_where_answers_are_gone_what_is_left_to_score_is_named(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = scored_run(tmp_path / "run")
    for path in sorted(there.root.rglob("responses.jsonl")):
        path.unlink()
    err = refused(capsys, "compare", str(there.root), files[1])
    assert "no answers are here (responses.jsonl), and no model that could give some" in err
    for name in ("config.json", "tokenizer.json"):
        (there.best / name).write_text("{}", encoding="utf-8")
    (there.best / "model.safetensors").write_bytes(safetensors())
    err = refused(capsys, "compare", str(there.root), files[1])
    assert f"score it first with smolsft-autotune eval {quoted(str(there.best))}, and" in err


def test_runs_of_two_scorers_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = scored_run(tmp_path / "one"), scored_run(tmp_path / "two")
    two.run_toml.write_text('[prompts]\nscorer = "exact"\n', encoding="utf-8")
    err = refused(capsys, "compare", str(one.root), str(two.root))
    assert f"{one.root} was scored by ifeval and {two.root} by exact, so they answer no" in err


def test_an_evaluation_has_no_report_and_how_its_score_is_shown_again_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = RunDir(tmp_path / "evaluated")
    there.eval_folder("model").mkdir(parents=True)
    write_lines(there.eval_folder("model") / "responses.jsonl", answers(GOOD))
    there.run_toml.write_text('[prompts]\nscorer = "exact"\n', encoding="utf-8")
    there.append(events.Warned(message="battery is low"), at=1.0)
    assert run(["report", str(there.root)]) == ExitCode.BAD_INPUT
    (err,) = capsys.readouterr().err.splitlines()
    assert "holds an evaluation, which has no report" in err
    assert "eval --responses" in err and err.endswith("--scorer exact")


def test_an_instruction_that_the_scorer_does_not_know_is_refused(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = json.loads(asked()[0].model_dump_json()) | {"instruction_id_list": ["punct:no_commas"]}
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    told = refused(capsys, "--responses", files[1], "--prompts", str(path))
    assert "own.jsonl:1: unknown instruction id 'punct:no_commas'" in told
    assert "the nearest known is 'punctuation:no_comma'" in told


def test_a_second_scorer_is_a_file_and_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SCORERS, "contains", Contains)
    prompts = [
        IFEvalPrompt(
            key=key,
            prompt=f"What is {key} + 40?",
            instruction_id_list=("contains",),
            kwargs=({"expected": str(key + 40)},),
        )
        for key in (1, 2)
    ]
    given = [Answer(prompt=p.prompt, response="I think that it is 42.") for p in prompts]
    arguments = [
        *("--responses", write_lines(tmp_path / "a.jsonl", given)),
        *("--prompts", write_lines(tmp_path / "p.jsonl", prompts)),
    ]
    found, human = said(capsys, *arguments, "--scorer", "contains")
    assert (found["scorer"], found["prompt_strict"]["passes"], found["n"]) == ("contains", 1, 2)
    assert "fails: does not follow contains" in human
    assert "unknown instruction id 'contains'" in refused(capsys, *arguments)


def test_a_scorer_that_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, "--responses", "x.jsonl", "--scorer", "bleu")
    assert "--scorer bleu: must be one of exact, ifeval" in told


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_screen_keeps_to_its_width_and_says_nothing_in_colour_alone(width: int) -> None:
    given = answers(BAD, "OK", GOOD + "\x1b[31m" + " and so it goes on" * 30, asked()[3].prompt)
    found = evaluate(
        *(IFEval(), asked(), given, LIMITS),
        **COUNTING,
        examples=3,
        baseline=answers(GOOD, BAD, BAD, BAD),
        target=0.25,
    )
    text = printed(evaluated_summary(found), width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    words = " ".join(text.replace("│", " ").split())
    assert "target 25.0 % not met: the score counts for 0.0 %" in words
    assert "fails: " in words and "it is: " in words and "passes only after training" in words


@pytest.mark.torch
def test_a_model_answers_the_prompts_of_a_second_scorer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SCORERS, "contains", Contains)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    prompt = IFEvalPrompt(
        key=1,
        prompt="What is 2 + 40?",
        instruction_id_list=("contains",),
        kwargs=({"expected": "42"},),
    )
    prompts = write_lines(tmp_path / "p.jsonl", [prompt])
    found, _ = said(capsys, "toy", "--scorer", "contains", "--prompts", prompts)
    assert (found["scorer"], found["n"], found["unmatched"]) == ("contains", 1, [])


def test_options_without_effect_on_answers_that_are_there_are_all_named(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ("--device", "cpu", "--max-new-tokens", "9", "--precision", "fp32")
    told = refused(capsys, "--responses", files[1], "--prompts", files[0], *typed)
    assert "--max-new-tokens, --device, --precision: no effect with --responses" in told
