"""What a worker found when it looked at a card through torch."""

from autotune.base.model import Boundary


class CardAnswer(Boundary):
    """What torch says of one card, and what it could not do there.

    `problem` is None where a product was computed on the card; else it is what torch or the driver
    said, in one line. `torch` and `cuda` are torch's version and the CUDA release that it was built
    with (None: built without). `capability` is the card's (8.9: Ada), `arch_list` names the code
    that this torch brought (`sm_86`: for capability 8.6 and later ones of its generation;
    `compute_90`: to be compiled for 9.0 and later).

    Bytes are those of `torch.cuda.mem_get_info`: what this process may get, which under Windows may
    be less than the driver calls free. They are read when the process' CUDA context is made, so the
    context counts as taken; None where it did not come to that.

    `fused` is whether a kernel other than plain mathematics computed attention in 16 bits, forward
    and backward; None where it was not tried.
    """

    torch: str
    cuda: str | None
    problem: str | None = None
    name: str | None = None
    capability: tuple[int, int] | None = None
    arch_list: tuple[str, ...] = ()
    total_bytes: int | None = None
    free_bytes: int | None = None
    fused: bool | None = None
