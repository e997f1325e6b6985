"""What torchrun says of this process: the rank it has among those of one training.

torchrun starts the same command several times and tells each by its environment (torch's
documentation of `torch.distributed.run`): `WORLD_SIZE` processes in all, `RANK` from 0, and
`LOCAL_RANK` among those of this machine, which is the number of the card that each takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from autotune.base.errors import BadInput
from autotune.protocol.device_kind import has_own_memory
from autotune.protocol.job import DeviceSpec, Job, TrainJob


@dataclass(frozen=True, slots=True)
class Launch:
    """This process is `rank` of `size`, and `local_rank` on its machine; all from 0."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def shared(self) -> bool:
        """Whether there are others."""
        return self.size > 1


ALONE = Launch()


def launch_of(environment: Mapping[str, str]) -> Launch:
    """The launch that an environment tells of; without torchrun one process alone.

    Raises:
        BadInput: its numbers are none, or make no sense together.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    given = {name: environment[name] for name in names if name in environment}
    if not given:
        return ALONE
    words = ", ".join(f"{name}={value}" for name, value in given.items())
    remedy = "start the training by torchrun, or unset these variables"
    if len(given) < len(names) or not all(value.isdecimal() for value in given.values()):
        raise BadInput(f"{words}: RANK, WORLD_SIZE and LOCAL_RANK must be whole numbers; {remedy}")
    launch = Launch(*(int(given[name]) for name in names))
    if not max(launch.rank, launch.local_rank) < launch.size:
        raise BadInput(f"{words}: ranks must be below WORLD_SIZE; {remedy}")
    return launch


def demand_shareable(launch: Launch, job: Job, *, stays: bool) -> None:
    """Refuse what several processes would all do, each over the other's files.

    Raises:
        BadInput: that.
    """
    if not launch.shared:
        return
    if not isinstance(job, TrainJob):
        raise BadInput(
            f"a {job.job} job on {launch.size} processes: only a train job is shared among"
            " processes; start it without torchrun"
        )
    if stays:
        raise BadInput(
            f"--stay on {launch.size} processes: they do one train job; leave out --stay"
        )


def device_of(spec: DeviceSpec, launch: Launch) -> DeviceSpec:
    """The device of this process: each of several takes the card of its own number."""
    if not launch.shared or not has_own_memory(spec.kind):
        return spec
    return spec.model_copy(update={"index": launch.local_rank})
