"""docs/study.md: the strategies and options that it lists are those that there are."""

import re

from autotune.cli.options import SETTINGS
from autotune.config.load import find_profile
from autotune.config.profile import Profile
from autotune.protocol.result_text import shape_text
from autotune.protocol.space import SEARCHABLE
from tests.docs.pages import lacking, page

PAGE = page("study.md")


def test_the_strategies_of_the_page_are_those_of_the_profile_for_a_card() -> None:
    rows = [
        f"| {s.name} | {s.title} | {s.learning_rate:.0e} | {s.num_train_epochs} | {s.batch_size} |"
        f" {shape_text(s.model_max_length, s.max_rounds)} | {s.weight_decay:g} |"  # type: ignore[arg-type]
        f" {s.warmup_ratio:g} |".replace("e-0", "e-")
        for s in find_profile("rtx4060-laptop-8gb").strategies
    ]
    assert not (missing := lacking(PAGE, rows)), "\n".join(missing)
    assert len(re.findall(r"x (?:\d+|all) \|", PAGE)) == len(rows)


def test_every_option_of_a_study_is_an_option_and_every_key_is_one() -> None:
    spelled = {s for name, each in SETTINGS.items() for s in each.spelling(name).split("/")}
    spelled |= {s.replace("--", "--no-", 1) for s in spelled}  # of switches
    options = set(re.findall(r"`(--[a-z-]+)[^`]*`", PAGE)) - {"--dry-run", "--out"}
    assert len(options) > 6
    assert options <= spelled, options - spelled
    keys = set(re.findall(r"`study\.([a-z_]+)`", PAGE)) - {"db"}  # a file
    assert keys <= set(Profile.model_fields["study"].annotation.model_fields)  # type: ignore[union-attr]
    assert all(f"`{key}`" in PAGE for key in SEARCHABLE)
