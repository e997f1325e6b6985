"""The Hugging Face hub, asked quickly, and how its ids are told from mistyped paths.

Code from a repository is never run. A token is used if the hub's own library finds one; it is in
no message of ours.
"""

import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.data.file_kinds import READ_ENDINGS
from autotune.sources.download import watched
from autotune.sources.reachable import hub_is_reachable
from autotune.sources.say import Say, say_nothing

ANSWER_SECONDS = 5.0
"""How long one request may wait for the hub."""

PATIENCE_SECONDS = 12.0
"""How long the first request may take in all; name servers that hang know no other timeout."""

Kind = Literal["model", "dataset"]

T = TypeVar("T")


class HubUnreachable(Exception):
    """No usable answer from the hub: no network, too slow, switched off, or its own trouble."""


def hub_files(repo: str, kind: Kind, revision: str | None) -> tuple[str, ...]:
    """The paths of a repository's files, sorted.

    Raises:
        BadInput: no such repository or revision, or one that needs a login.
        HubUnreachable: no answer within `PATIENCE_SECONDS`.
    """
    if not hub_is_reachable():
        raise HubUnreachable

    def ask() -> tuple[str, ...]:
        from huggingface_hub import HfApi

        info = HfApi().repo_info(repo, repo_type=kind, revision=revision, timeout=ANSWER_SECONDS)
        return tuple(sorted(s.rfilename for s in getattr(info, "siblings", None) or ()))

    return _translated(repo, kind, lambda: _within(PATIENCE_SECONDS, ask))


def hub_folder(
    repo: str,
    kind: Kind,
    revision: str | None,
    patterns: tuple[str, ...],
    say: Say = say_nothing,
    *,
    cached_only: bool = False,
) -> Path:
    """The folder of a repository's files that match; `cached_only` asks nothing of the network.

    `say` is shown what arrives.

    Raises:
        BadInput: the repository needs a login.
        HubUnreachable: the download broke off, or the cache does not hold it.
    """

    def download() -> Path:
        from huggingface_hub import snapshot_download

        return Path(
            snapshot_download(
                repo,
                repo_type=kind,
                revision=revision,
                allow_patterns=list(patterns),
                etag_timeout=ANSWER_SECONDS,
                local_files_only=cached_only,
            )
        )

    if cached_only:
        return _translated(repo, kind, download)
    return _translated(repo, kind, lambda: _shown(repo, kind, say, download))


def hub_file(
    repo: str, kind: Kind, revision: str | None, name: str, say: Say = say_nothing
) -> Path:
    """One file of a repository, downloaded if it is not in the hub's cache.

    `say` is shown what arrives.

    Raises:
        BadInput: no such file, or the repository needs a login.
        HubUnreachable: no answer, or the download broke off.
    """

    def download() -> Path:
        from huggingface_hub import hf_hub_download

        return Path(
            hf_hub_download(
                repo, name, repo_type=kind, revision=revision, etag_timeout=ANSWER_SECONDS
            )
        )

    return _translated(repo, kind, lambda: _shown(repo, kind, say, download))


def _shown(repo: str, kind: Kind, say: Say, download: Callable[[], Path]) -> Path:
    """A download that `say` shows, and the hub's own bar, which would stand in every log, does not.

    Where nobody is to be shown it, the hub's own stays.
    """
    if say is say_nothing:
        return _fetched(repo, kind, download)
    from huggingface_hub import constants
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    cached = Path(constants.HF_HUB_CACHE) / f"{kind}s--{repo.replace('/', '--')}"
    with watched(say, repo, None, cached):
        return _fetched(repo, kind, download)


_DISK_FULL = ("(os error 112)",) if os.name == "nt" else ("No space left", "quota exceeded")
"""What says so in an error of hf_xet. Windows says it in its own language, with this number."""


def _fetched(repo: str, kind: Kind, download: Callable[[], Path]) -> Path:
    """A download with the errors of hf_xet, which brings large files, translated into ours.

    Whatever goes wrong on the way is a plain `RuntimeError` there, or of a type of its own that
    derives from one of Python's (a refused token from `PermissionError`); a full disk, only the
    text tells.
    """
    try:
        return download()
    except Exception as error:
        if not isinstance(error, RuntimeError) and type(error).__module__ != "hf_xet":
            raise
        if any(mark in str(error) for mark in _DISK_FULL):
            raise _unstored(repo, kind, "no space left on the disk") from error
        raise HubUnreachable from None


def unreachable(what: str, repo: str) -> EnvironmentFault:
    """The one line that a person reads where the hub cannot be reached.

    A path of two parts reads like a hub id: where the first is a folder here, one was meant.
    """
    mistyped = "no such path here, and " if Path(repo).parent.is_dir() else ""
    return EnvironmentFault(
        f"{what} {repo}: {mistyped}the Hugging Face hub cannot be reached and no copy is cached;"
        " check the network, give a local path, or run smolsft-autotune demo, which needs no hub"
    )


def _within(seconds: float, ask: Callable[[], T]) -> T:
    """The answer of `ask`, given up on after `seconds`.

    The thread is a daemon, so a request that hangs does not keep the process alive.
    """
    answers: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(ask())
        except BaseException as error:  # raised again in the asking thread
            errors.append(error)

    thread = threading.Thread(target=run, name="hub-request", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise HubUnreachable
    return answers[0]


def _translated(repo: str, kind: Kind, ask: Callable[[], T]) -> T:
    """Run `ask` with the hub's errors translated into ours; their texts are dropped."""
    from huggingface_hub import errors as hub

    try:
        return ask()
    except hub.GatedRepoError as error:
        raise BadInput(
            f"{kind} {repo}: its owner grants access on request; ask on its page, then log in"
            ' with "hf auth login"'
        ) from error
    except hub.RepositoryNotFoundError as error:
        raise BadInput(
            f"{kind} {repo}: the hub has no such {kind}, or it is private; check the spelling, or"
            ' log in with "hf auth login"'
        ) from error
    except (hub.RevisionNotFoundError, hub.RemoteEntryNotFoundError) as error:
        raise BadInput(
            f"{kind} {repo}: the hub has no such revision or file of it; check the spelling"
        ) from error
    except hub.HFValidationError as error:
        raise BadInput(
            f"{kind} {repo!r}: not a hub id; write it as in HuggingFaceTB/SmolLM2-135M"
        ) from error
    except (
        hub.HfHubHTTPError,
        hub.LocalEntryNotFoundError,
        ConnectionError,
        TimeoutError,
    ):
        raise HubUnreachable from None
    except OSError as error:
        raise _unstored(repo, kind, error.strerror or type(error).__name__) from error
    except Exception as error:
        if _is_transport(error):
            raise HubUnreachable from None
        raise


def _unstored(repo: str, kind: Kind, why: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"{kind} {repo}: cannot be stored ({why}); free disk space or set HF_HOME to another folder"
    )


def _is_transport(error: Exception) -> bool:
    """Whether the hub's HTTP library failed to get an answer; its name changed between releases."""
    return any(t.__module__.split(".")[0] in {"httpx", "httpx2"} for t in type(error).__mro__)


_HUB_ID = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?")


_FILE_ENDINGS = (*READ_ENDINGS, ".gguf", ".safetensors", ".bin", ".xlsx")


@dataclass(frozen=True, slots=True)
class HubId:
    """A repository of the hub and the revision asked for, None for its newest."""

    repo: str
    revision: str | None


def as_hub_id(text: str) -> HubId | None:
    """`owner/name` or `owner/name@revision`; None where the text can only be meant as a path."""
    match = _HUB_ID.fullmatch(text)
    if match is None or match["repo"].lower().endswith(_FILE_ENDINGS):
        return None
    return HubId(repo=match["repo"], revision=match["revision"])
