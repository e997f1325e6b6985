"""Errors of a job that say themselves what kind of failure they are."""

from autotune.protocol.failure import Failure


class JobFault(Exception):
    """Why a job ended, in words for a person; each kind of it has its `failure`."""

    failure: Failure
