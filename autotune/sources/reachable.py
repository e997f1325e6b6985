"""Whether the Hugging Face hub can be reached at all, known in seconds: one connection, no retry.

The hub's own client takes half a minute of retries to find out that there is no network. A
connection says nothing of what is served there, only that asking is worth the wait.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

ENDPOINT = "https://huggingface.co"
"""Where the hub is, unless `HF_ENDPOINT` names another."""

CONNECT_SECONDS = 2.0
"""How long a connection may take. A slow one over a satellite takes less than one."""

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_TRUE = {"1", "ON", "YES", "TRUE"}
"""What the hub's client takes for a yes (its `constants.ENV_VARS_TRUE_VALUES`)."""

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class HubAnswer:
    """Whether the hub, or the proxy before it, takes a connection, and in how many seconds.

    `why` is a fact for a person where it does not; empty where it does.
    """

    host: str
    why: str = ""
    seconds: float | None = None

    @property
    def is_reachable(self) -> bool:
        """Whether asking it is worth the wait."""
        return not self.why


def ask_hub(
    environ: Mapping[str, str] | None = None,
    connect: Callable[[Address, float], None] | None = None,
) -> Callable[[], HubAnswer]:
    """Begin to connect, and return what waits for the answer: `CONNECT_SECONDS` at most, from now.

    A name server that hangs knows no timeout, so a daemon thread asks; it keeps no process alive.

    Example:
        `answer = ask_hub()`, then other work, then `answer().is_reachable`
    """
    variables = os.environ if environ is None else environ
    endpoint = urlsplit(variables.get("HF_ENDPOINT") or ENDPOINT)
    host = endpoint.hostname or ""
    switched = next((name for name in _OFFLINE if variables.get(name, "").upper() in _TRUE), None)
    if switched is not None:
        return lambda: HubAnswer(host, f"{switched} is set")
    if not host:
        return lambda: HubAnswer(host, f"HF_ENDPOINT {variables.get('HF_ENDPOINT')} has no host")
    default = 80 if endpoint.scheme == "http" else 443
    address = _proxy(host, endpoint.scheme) or (host, endpoint.port or default)
    began, answers = time.monotonic(), list[HubAnswer]()

    def run() -> None:
        try:
            (connect or _connect)(address, CONNECT_SECONDS)
        except (OSError, UnicodeError) as error:
            answers.append(HubAnswer(host, f"no connection to {address[0]} ({_reason(error)})"))
        else:
            answers.append(HubAnswer(host, seconds=time.monotonic() - began))

    thread = threading.Thread(target=run, name="hub-reachable", daemon=True)
    thread.start()

    def wait() -> HubAnswer:
        thread.join(max(0.0, began + CONNECT_SECONDS - time.monotonic()))
        late = f"no connection to {address[0]} within {CONNECT_SECONDS:g} s"
        return answers[0] if answers else HubAnswer(host, late)

    return wait


def hub_is_reachable() -> bool:
    """Whether the hub takes a connection now."""
    return ask_hub()().is_reachable


def _connect(address: Address, seconds: float) -> None:
    socket.create_connection(address, timeout=seconds).close()


def _proxy(host: str, scheme: str) -> Address | None:
    """The proxy that requests to a host go through, of the environment or the system; else None."""
    from urllib.request import getproxies, proxy_bypass

    if proxy_bypass(host):
        return None
    try:
        found = urlsplit(getproxies().get(scheme or "https", ""))
        port = found.port
    except ValueError:
        return None
    return (found.hostname, port or 80) if found.hostname else None


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return getattr(error, "strerror", None) or type(error).__name__
