"""Exit codes of a process that died without a word, in words.

Windows ends a process with the status of its last exception (ntstatus.h); Unix reports the signal,
as a negative number, or as 128 and more where a shell stood between.
"""

from autotune.protocol.failure import Failure

WINDOWS = {
    0xC0000005: "access violation",
    0xC0000006: "a page could not be read from disk",
    0xC0000017: "no memory: the computer's commit limit, memory and page file together, is reached",
    0xC000001D: "illegal instruction: a library was made for a newer processor",
    0xC000007B: "a library is corrupt or built for another processor",
    0xC000009A: "the system is out of resources",
    0xC00000FD: "stack overflow",
    0xC000012D: "commit limit: the computer's memory and page file together are used up",
    0xC0000135: "a DLL was not found",
    0xC0000139: "a DLL is of another release than was expected",
    0xC000013A: "interrupted from the keyboard, or its window was closed",
    0xC0000142: "a DLL could not be started",
    0xC0000374: "heap corruption",
    0xC0000409: "abort: the program found itself in a state that must not be",
    0xC06D007E: "a DLL was not found when it was first needed",
    0x40010004: "ended by the system, as at log-off",
}

SIGNALS = {
    1: "hung up",
    4: "illegal instruction: a library was made for a newer processor",
    6: "abort: the program found itself in a state that must not be",
    7: "bus error: a file or shared memory was truncated",
    8: "arithmetic fault",
    11: "segmentation fault: access violation",
    15: "asked to end",
    24: "limit of processor time",
}

_KILLED = 9
_SENT = {1, 9, 15}
"""Signals that no fault of a process raises in itself: another program sent them."""

_OUT_OF_MEMORY = {0xC0000017, 0xC000009A, 0xC000012D}
_SHELL = 128
"""A shell reports signal n as 128 + n."""

_STATUS = 2**32
"""Windows statuses are unsigned, 32 bits; some tools show them as negative."""


def exit_text(code: int, who: str = "") -> str:
    """How a process with this exit code ended: `worker ended with 0xC0000005 (access violation)`.

    It is the worker, or `who`.
    """
    ended = f"{who or 'worker'} ended with"
    if not -_SHELL <= code < 2 * _SHELL:
        status = code % _STATUS
        word = f" ({WINDOWS[status]})" if status in WINDOWS else ""
        return f"{ended} 0x{status:08X}{word}"
    signal = _signal(code)
    if signal == _KILLED:
        # From outside is, on Linux, what the kernel does when memory runs out.
        killed = "killed from outside (signal 9)"
        return f"{who} was {killed}" if who else killed
    if signal is not None:
        return f"{ended} signal {signal} ({SIGNALS[signal]})"
    return f"{ended} code {code}"


def failure_of(code: int) -> Failure:
    """HOST_MEMORY where the code means that, as a rule; else CRASHED."""
    if code % _STATUS in _OUT_OF_MEMORY or _signal(code) == _KILLED:
        return Failure.HOST_MEMORY
    return Failure.CRASHED


def was_ended_from_outside(code: int) -> bool:
    """Whether another program, or the system, ended a worker with this exit code.

    Windows does not report it: who ends a process there chooses its exit code.
    """
    return _signal(code) in _SENT


def _signal(code: int) -> int | None:
    """The signal that ended a process, of those that have a word here."""
    number = -code if code < 0 else code - _SHELL
    return number if number == _KILLED or number in SIGNALS else None
