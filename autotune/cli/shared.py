"""`run --storage` and `worker`: a run as one of several that work at a study in a database."""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from autotune.base.errors import BadInput, ExitCode
from autotune.cli.console import human_console, say_on
from autotune.cli.device import chosen_profile
from autotune.cli.many_cards import card_workers, wait_for
from autotune.cli.options import Options
from autotune.cli.run import OpenRun, Part, demand_salvageable, finish, fit_of, open_run, reported
from autotune.cli.settings import settings_text
from autotune.cli.shared_options import (
    asked_address,
    asks_for_all_cards,
    card_name,
    demand_name,
    demand_same_data,
    overlaps,
    passed_on,
    worker_folder,
)
from autotune.device.every_card import every_card
from autotune.device.find import find_device
from autotune.device.visible import VARIABLE
from autotune.protocol import events
from autotune.protocol.results import Fit
from autotune.run.setup import Setup
from autotune.study.cleanup import demand_disk
from autotune.study.shared.address import Address
from autotune.study.shared.carried import Worker
from autotune.study.shared.settings import (
    SharedSettings,
    SharedStages,
    demand_study_content,
    profile_of,
    read_settings,
    read_stages,
    write_settings,
    write_stages,
)
from autotune.study.shared.shared_study import SharedStudy, join_study, make_study
from autotune.study.shared.storage import close_storage, open_storage

STAGES_POLL_SECONDS = 5.0
"""How often a worker looks whether the coordinator has probed, which takes minutes."""


def shared_run_command(
    options: Options, target: float, stages: str | None, *, salvaging: bool = False
) -> int:
    """`run --storage`: makes the study, works at it, ends when it is over."""
    console = human_console(options.as_json)
    say = say_on(console)
    demand_salvageable(options, salvaging)
    overlap = overlaps(stages)
    demand_same_data(chosen_profile(options))
    address = asked_address(options, say)
    name = None if options.study is None else demand_name(options.study)
    cards = every_card() if asks_for_all_cards(options) else ()
    if cards:
        os.environ[VARIABLE] = cards[0].uuid or ""
    close_storage(open_storage(address, make_tables=True))  # what is wrong with it, before all else

    def begin(setup: Setup, name: str) -> None:
        assert setup.content is not None
        text = settings_text(setup.profile)
        settings = SharedSettings(
            profile=text, target=target, content=setup.content, overlap=overlap
        )
        with opened(make_study(address, name)) as study:
            write_settings(study, settings)
        say(f"study {name}: smolsft-autotune {worker_words(address, name)}")

    part = Part(begin, name)
    with open_run(options, console, target, salvaging=salvaging, part=part) as work:
        demand_disk(work.session, work.setup)
        with opened(join_study(address, name or work.rundir.root.name)) as study:
            settings = read_settings(study)
            with card_workers(cards[1:], address, study.name, say):
                fit = fit_of(work)
                met = at_study(work, study, settings, fit, None)
    finish(console, work.rundir, work.session, options.as_json)
    return ExitCode.DONE if met else ExitCode.BELOW_TARGET


def worker_command(options: Options) -> int:
    """`worker`: works at a study that a coordinator made, until it is over."""
    console = human_console(options.as_json)
    say = say_on(console)
    address = asked_address(options, say)
    if options.study is None:
        raise BadInput("worker: needs --study, the name that the run printed when it began")
    name = demand_name(options.study)
    if asks_for_all_cards(options):
        words = passed_on(options)
        cards = every_card()
        with opened(join_study(address, name)) as study:
            read_settings(study)
        with card_workers(cards, address, name, say, words) as started:
            return wait_for(started)
    with opened(join_study(address, name)) as study:
        settings = read_settings(study)
        profile = options.adjust(profile_of(study, settings))
        card = card_name(find_device(profile.machine.device))
        folder = options.run_dir or worker_folder(name, platform.node(), card)
        options = replace(options, profile=profile.name, run_dir=folder)
        part = Part(
            lambda setup, _: demand_study_content(name, settings.content, setup.content),
            name,
            profile,
            folder,
        )
        with open_run(options, console, settings.target, part=part) as work:
            demand_disk(work.session, work.setup)
            fit = fit_of(work)
            at_study(work, study, settings, fit, wait_for_stages(work, study))
    finish(console, work.rundir, work.session, options.as_json)
    return ExitCode.DONE


def at_study(
    work: OpenRun,
    study: SharedStudy,
    settings: SharedSettings,
    fit: Fit,
    stages: SharedStages | None,
) -> bool:
    """Work at a study until it is over; the coordinator, who has no `stages` yet, makes them."""
    from autotune.score.registry import find_scorer
    from autotune.study.shared.tuner import SharedTuner, stages_of

    setup, coordinates = work.setup, stages is None
    if stages is None:
        stages = write_stages(study, stages_of(setup, work.survey, fit))
    root = str(work.rundir.root.absolute())
    worker = Worker(platform.node(), card_name(setup.device), root)
    with reported(work.session):
        return SharedTuner(
            work.session,
            setup,
            work.survey,
            fit,
            find_scorer(setup.profile.prompts.scorer),
            settings.target,
            study=study,
            worker=worker,
            stages=stages,
            overlap=settings.overlap,
            coordinates=coordinates,
        ).run()


def wait_for_stages(work: OpenRun, study: SharedStudy) -> SharedStages:
    """What is tried, as soon as the coordinator knows it."""
    sentence = "waiting: the run that began the study probes its card"
    if read_stages(study) is None:
        work.session.emit(events.Notice(about="waiting", sentence=sentence))
    while (stages := read_stages(study)) is None:
        work.session.emit(events.Phase(name=sentence))
        time.sleep(min(STAGES_POLL_SECONDS, study.storage.heartbeat_interval))
    return stages


def worker_words(address: Address, study: str) -> str:
    """What is typed on every further card."""
    from autotune.base.format import quoted

    return f"worker --storage {quoted(address.shown)} --study {quoted(study)}"


@contextmanager
def opened(study: SharedStudy) -> Iterator[SharedStudy]:
    """A study, whose connections are given back at the end."""
    try:
        yield study
    finally:
        study.close()
