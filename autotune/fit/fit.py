"""The fit that a run trains with: one that is known and still holds, or a new one."""

from collections.abc import Callable, Iterator

from autotune.data.survey import Survey
from autotune.device.cpu import on_battery
from autotune.device.nvml_port import NvmlPort, NvmlUnavailable
from autotune.device.wait_until_idle import wait_until_idle
from autotune.fit.guess import InitialGuess
from autotune.fit.probe import Probe
from autotune.fit.reuse import Use, status
from autotune.protocol import events
from autotune.protocol.results import Fit
from autotune.protocol.throttle import Throttle
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.run.setup import Setup


def fitted(
    session: Session,
    setup: Setup,
    survey: Survey,
    nvml: NvmlPort | None = None,
    initial_guess: InitialGuess | None = None,
    *,
    again: bool = False,
) -> Fit:
    """The fit for this setup, and an event that says where it comes from.

    The run's own `fit.json` is looked at first, then those of the runs beside it. One whose
    fingerprint is that of now is taken as it is; one that differs in what may matter a little is
    checked with one trial; anything else is probed again, as is everything with `again`. `nvml` is
    asked whether the card is at rest before a trial, `initial_guess` for a first guess.

    Raises:
        NothingFits: not even the shortest length fits.
    """
    probe = Probe(session, setup, survey)
    if nvml is not None:
        probe.wait_until_idle = idle_wait(nvml, setup.device.index)
        probe.throttle_reasons = throttle_watch(nvml, setup.device.index)
    if initial_guess is not None:
        probe.guess, probe.predict = initial_guess.guess, initial_guess.peak_of
    why = ""
    known_now = known_fits(session.rundir, session.state.fit)
    for known, where in () if again else known_now:
        found = status(known, setup)
        reason = f"{found.why} ({where})" if where else found.why
        if found.use is Use.REUSE:
            return probe.keep(known, events.Fitted(fit=known, reused=True, note=reason))
        if found.use is Use.RECHECK:
            checked = probe.recheck(known, reason)
            if checked is not None:
                return checked
            why = f"probed again: the last answer does not hold any more; {found.why}"
            break
        if not where:
            why = found.why
    return probe.run(why)


def holding_fit(rundir: RunDir, recorded: Fit | None, setup: Setup) -> tuple[Fit, str] | None:
    """The fit that a run in this folder would take without a new search, and why it holds.

    None where it would probe, as far as a fit can tell that is not tried again.
    """
    for known, where in known_fits(rundir, recorded):
        found = status(known, setup)
        if found.use is not Use.NONE:
            return known, f"{found.why} ({where})" if where else found.why
    return None


def known_fits(rundir: RunDir, recorded: Fit | None) -> Iterator[tuple[Fit, str]]:
    """Fits with the folder that they are from, "" for the run's own; the newest first.

    The record knows the run's own as well (`recorded`), should its file be lost or damaged.
    """
    own = rundir.read_fit() or recorded
    if own is not None:
        yield own, ""
    here = rundir.root.resolve()
    beside = [path for path in here.parent.glob("*/fit.json") if path.parent != here]
    for path in sorted(beside, key=lambda p: (p.stat().st_mtime, p.name), reverse=True):
        fit = RunDir(path.parent).read_fit()
        if fit is not None:
            yield fit, f"from {path.parent.name}"


def idle_wait(nvml: NvmlPort, index: int) -> Callable[[], str | None]:
    """The wait before each trial on a card."""
    return lambda: wait_until_idle(nvml, index)


def throttle_watch(nvml: NvmlPort, index: int) -> Callable[[], tuple[str, ...]]:
    """The look during each trial on a card at what throttles it."""
    return lambda: throttle_reasons(nvml, index)


ON_BATTERY = "on battery"


def throttle_reasons(
    nvml: NvmlPort, index: int, battery: Callable[[], bool | None] = on_battery
) -> tuple[str, ...]:
    """Why the card is throttled now, in words; empty where it is not or that is unknown.

    The power limit is left out: a laptop's card is at it much of the time, and loses little.
    """
    try:
        throttled = nvml.state(index).throttled or ()
    except NvmlUnavailable:
        throttled = ()
    held = [reason.value for reason in throttled if reason is not Throttle.POWER]
    return (*held, ON_BATTERY) if battery() else tuple(held)
