"""What keeps the house in order: nothing heavy is loaded by importing or by asking for help."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "autotune"
HEAVY = ("torch", "transformers", "optuna", "matplotlib", "huggingface_hub", "pynvml", "nltk")
TORCH_SIDE = ("autotune.worker", "autotune.worker.memory.cuda", "autotune.worker.memory.cpu")
HELP_SECONDS = 0.5


def modules() -> list[str]:
    """Every module of the package that the torch-free process may import."""
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not name.startswith(TORCH_SIDE) and parts[-1] != "__main__":
            names.append(name)
    return names


def python(code: str) -> str:
    """Standard output of code run in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-W", "error", "-c", code],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_every_module_loads_nothing_heavy_and_prints_nothing() -> None:
    imports = "".join(f"import {name}\n" for name in modules())
    code = f"{imports}import sys\nprint(sorted(set({HEAVY!r}) & set(sys.modules)))"
    assert python(code) == "[]"


@pytest.mark.skipif(find_spec("autotune.cli") is None, reason="there is no command line yet")
@pytest.mark.parametrize("arguments", [["--help"], ["probe", "--help"], ["profiles", "list"]])
def test_the_command_line_answers_without_loading_torch(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from autotune.cli import main\n"
        f"sys.argv = ['smolsft-autotune', *{arguments!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        f"print('loaded', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    assert python(code).splitlines()[-1] == "loaded []"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("autotune.cli") is None, reason="there is no command line yet")
def test_help_answers_within_half_a_second() -> None:
    code = (
        "import subprocess, sys, time\n"
        "best = 9.0\n"
        "for _ in range(5):\n"
        "    start = time.perf_counter()\n"
        "    subprocess.run([sys.executable, '-m', 'autotune', '--help'], check=True,\n"
        "                   stdout=subprocess.DEVNULL)\n"
        "    best = min(best, time.perf_counter() - start)\n"
        "print(best)"
    )
    assert float(python(code)) < HELP_SECONDS


def test_files_stay_short_and_begin_by_saying_their_idea() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 300, f"{path} is longer than 300 lines"
        assert text.lstrip("r").startswith('"""'), f"{path} does not say its idea"
    assert not list(PACKAGE.rglob("utils.py"))


def test_readme_holds_the_test_commands_that_continuous_integration_runs() -> None:
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("README.md is not in this tree")
    text = readme.read_text(encoding="utf-8")
    begin, end = text.find("<!-- tests:begin -->"), text.find("<!-- tests:end -->")
    assert 0 <= begin < end
    assert "pytest" in text[begin:end]
