"""Which chooser makes an engine's answers: the likeliest token, or one that is drawn."""

from autotune.protocol.choices import Precision
from autotune.worker.compute import Compute
from autotune.worker.generate.chooser import Chooser
from autotune.worker.generate.exact_argmax import ExactArgmax
from autotune.worker.generate.exact_sample import ExactSample
from autotune.worker.generate.reply import GenerationSettings
from autotune.worker.model import Loaded


def chooser_for(loaded: Loaded, compute: Compute, settings: GenerationSettings) -> Chooser:
    """Choices in fp32 are the same in any batch."""
    exact = compute.precision is Precision.FP32
    if settings.draws is None:
        return ExactArgmax(loaded.model, compute.device, exact)
    return ExactSample(loaded.model, compute.device, exact, settings.draws)
