"""How the arithmetic of a training is done: attention kernel, number format, compiler.

``auto`` follows a rule for the device, shape and length of the training, written here; a Recipe can force each.
The record of a trial says what was used. The rule looks at no clock: a trial computes the same bits whatever
else the machine does.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import torch

from studies.training.recipe import Recipe
from vit import ViTConfig

TORCH_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

BFLOAT16_FROM_WORK = 6_000_000
"""Of ``work_of_a_layer``, on a CPU: below, conversions cost what products save.

Three processors were measured: AMD Zen 4 breaks even at about 2,600,000 (where bfloat16 is chosen, 1.1 to 1.9 times
as fast: results/published/bench-cpu/arithmetic.md), Zen 5 at 4,000,000, an Intel Xeon with AMX at 5,600,000 (0.81 times
as fast as float32 at 2,600,000, 1.13 times at 8,900,000). ``bench/test_arithmetic.py`` measures it anew.
"""
BFLOAT16_FROM_EMBED_DIM = 64
"""On a GPU, where no figures are known yet."""
LONG = 2
"""Tokens by width above which attention takes the time, not the linear layers: float32 is faster again on a CPU, whose
fused kernel is slow in bfloat16 (197 tokens, 64 wide: float32 fused 1.8 and bfloat16 1.2 times as fast as float32
written out, on AMD Zen 5; 192 wide: 1.2 and 1.6)."""
EXPLICIT_UP_TO_TOKENS = {"float32": 32, "bfloat16": 256}
"""On a CPU. In float32 the fused kernel is 1.0 to 1.35 times as fast at 50 tokens, 1.2 to 2.5 times at 197."""
EXPLICIT_ON_GPU = {"float32": 32, "bfloat16": 0}
"""Tokens up to which attention is written out on a GPU: float32's fused kernel has blocks of 64. A step of one model is
0.98 to 1.04, of 8 packed 1.2 to 1.35, of 32 packed 1.5 to 1.9 times as fast (H100, 5 and 17 tokens, 16 and 32 wide:
results/published/bench-h100/stacked.md); bfloat16 packed by 8 was 0.98 times as fast (H200)."""
COMPILE_FROM_STEPS = 10_000
"""Compiling takes 13 to 32 s, earned back within 7,000 steps in nine of ten cells (results/published/peers-cpu)."""
CPP_COMPILERS = ("g++", "clang++")


@dataclass(frozen=True)
class Compute:
    """What was chosen: an entry of ``ATTENTION_KERNELS``, ``"float32"`` or ``"bfloat16"``, and whether to compile."""

    attention: str
    dtype: str
    compile: bool

    def __str__(self) -> str:
        return f"{self.dtype}, {self.attention} attention" + (", compiled" if self.compile else "")

    @property
    def torch_dtype(self) -> torch.dtype:
        """For autocast; weights stay in float32."""
        return TORCH_DTYPES[self.dtype]


def resolve(config: ViTConfig, recipe: Recipe, device: str, num_steps: int, packed: bool = False) -> Compute:
    """Replace every ``auto`` by the rule for this device and shape.

    CPU: bfloat16 from ``BFLOAT16_FROM_WORK`` on where the processor multiplies it, unless the sequence is ``LONG``;
    attention written out, which beats torch's fused kernel, up to ``EXPLICIT_UP_TO_TOKENS``; the compiler from
    ``COMPILE_FROM_STEPS`` on where there is one. GPU: torch's fused attention from ``EXPLICIT_ON_GPU`` on, bfloat16
    from ``BFLOAT16_FROM_EMBED_DIM`` on, no compiler.

    Args:
        config: the model.
        recipe: what it asks for counts before the rule.
        device: where the training runs.
        num_steps: of the whole training.
        packed: whether several models train as one program; the rule never compiles that.
    """
    on_cpu = device == "cpu"
    dtype = _dtype(config, recipe.batch_size, device) if recipe.dtype == "auto" else recipe.dtype
    written_out = EXPLICIT_UP_TO_TOKENS if on_cpu else EXPLICIT_ON_GPU
    attention = "explicit" if config.num_tokens <= written_out[dtype] else "sdpa"
    compiling = on_cpu and not packed and num_steps >= COMPILE_FROM_STEPS and has_cpp_compiler()
    return Compute(
        attention if recipe.attention == "auto" else recipe.attention,
        dtype,
        compiling if recipe.compile == "auto" else bool(recipe.compile),
    )


def _dtype(config: ViTConfig, batch_size: int, device: str) -> str:
    """The number format that is faster."""
    if device == "cpu":
        worth_it = work_of_a_layer(config, batch_size) >= BFLOAT16_FROM_WORK
        worth_it = worth_it and config.num_tokens <= LONG * config.embed_dim
    else:
        worth_it = config.embed_dim >= BFLOAT16_FROM_EMBED_DIM
    return "bfloat16" if worth_it and has_bfloat16(device) else "float32"


def work_of_a_layer(config: ViTConfig, batch_size: int) -> int:
    """Multiplications of one layer as wide as the model on a batch: images x tokens x width squared."""
    return batch_size * config.num_tokens * config.embed_dim**2


def has_cpp_compiler() -> bool:
    """Whether ``torch.compile`` can work on a CPU: it needs a C++ compiler and Python's headers."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return header.exists() and any(map(shutil.which, (os.environ.get("CXX", ""), *CPP_COMPILERS)))


def has_bfloat16(device: str) -> bool:
    """Whether matrix products in bfloat16 are faster than in float32 on this device.

    A GPU that is only planned for is taken for one that has them: Ampere (2020) or later.
    """
    if device == "cpu":
        capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    if not device.startswith("cuda"):
        return False
    return not torch.cuda.is_available() or torch.cuda.is_bf16_supported(including_emulation=False)
