"""A torch that is not one: a package of a few lines that a process finds before the installed one.

The parent reads its `version.py`; a worker imports it and asks its `torch.cuda`, which says what a
card would.
"""

from pathlib import Path

VERSION = """__all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip']
from typing import Optional
__version__ = {version!r}
debug = False
cuda: Optional[str] = {cuda!r}
git_version = '0'
hip: Optional[str] = {hip!r}
"""

PACKAGE = """
from types import SimpleNamespace
from torch import cuda, version
from torch.version import __version__

bfloat16, float16, float32 = "bfloat16", "float16", "float32"

class device:
    def __init__(self, kind, index=0):
        self.type, self.index = kind, index

class Tensor:
    def __init__(self, value):
        self.value = value
    def __matmul__(self, other):
        return Tensor(self.value * other.value * 64)
    def sum(self, dtype=None):
        return Tensor(self.value * 64 * 64)
    def __float__(self):
        return float(self.value)

def ones(shape, device=None, dtype=None, requires_grad=False):
    cuda.compute(device, dtype)
    return Tensor(1)

def isfinite(tensor):
    return True

autograd = SimpleNamespace(grad=lambda out, given: (given,))
"""

FUNCTIONAL = """
from torch import cuda
def scaled_dot_product_attention(query, key, value, is_causal):
    cuda.attend()
    return query
"""

ATTENTION = """
from contextlib import nullcontext as sdpa_kernel
class SDPBackend:
    FLASH_ATTENTION, EFFICIENT_ATTENTION, CUDNN_ATTENTION = "flash", "efficient", "cudnn"
"""

CUDA = """
def init():
    pass
def compute(device, dtype):
    pass
def attend():
    pass
def get_arch_list():
    return ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]
def get_device_name(device):
    return "NVIDIA GeForce RTX 4060 Laptop GPU"
def get_device_capability(device):
    return (8, 9)
def mem_get_info(device):
    return (7 << 30, 8 << 30)
"""


def write_version(
    folder: Path, version: str, cuda: str | None = None, hip: str | None = None
) -> Path:
    """A torch that can be read and not imported; returns its package's folder."""
    package = folder / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('only to be read')", encoding="utf-8")
    text = VERSION.format(version=version, cuda=cuda, hip=hip)
    (package / "version.py").write_text(text, encoding="utf-8")
    return package


def write_torch(folder: Path, version: str, cuda: str, played: str = "") -> Path:
    """A torch whose `torch.cuda` finds a card that is well, but for what `played` defines anew."""
    package = write_version(folder, version, cuda)
    (package / "__init__.py").write_text(PACKAGE, encoding="utf-8")
    (package / "cuda.py").write_text(CUDA + played, encoding="utf-8")
    (package / "nn").mkdir()
    for module, text in {"__init__": "", "functional": FUNCTIONAL, "attention": ATTENTION}.items():
        (package / "nn" / f"{module}.py").write_text(text, encoding="utf-8")
    return package
