"""What a worker loads on its way, loaded before it is forked. Nothing is computed here."""

import tokenizers
import torch
import transformers.models.llama.modeling_llama
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.conversion_mapping import get_checkpoint_conversion_mapping

import autotune.score.exact.scorer
import autotune.score.ifeval.scorer
import autotune.worker.convert
import autotune.worker.generate.job
import autotune.worker.jobs
import autotune.worker.survey.job
import autotune.worker.train.average
import autotune.worker.train.loop
import autotune.worker.trial

__all__ = [
    "AutoModelForCausalLM",
    "AutoTokenizer",
    "GenerationConfig",
    "autotune",
    "tokenizers",
    "torch",
    "transformers",
]

# How older checkpoints name their weights: a thousand patterns, compiled for the first model.
get_checkpoint_conversion_mapping("llama")
