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

from studies.recipe import Recipe
from vit import ViTConfig

TORCH_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

# Measured on a CPU with bfloat16 instructions: below, conversions cost what products save
BFLOAT16_FROM_EMBED_DIM = 64
EXPLICIT_UP_TO_TOKENS = 256
COMPILE_FROM_STEPS = 10_000
"""Compiling takes 13 to 32 s of a CPU, earned back within 7,000 steps in nine of ten cells (results/peers-cpu)."""
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


def resolve(config: ViTConfig, recipe: Recipe, device: str, num_steps: int = 0) -> Compute:
    """Replace every ``auto`` by the rule for this device and shape.

    CPU: attention written out, which beats torch's fused kernel for short sequences; bfloat16 autocast from
    ``BFLOAT16_FROM_EMBED_DIM`` on where the processor multiplies bfloat16; the compiler from
    ``COMPILE_FROM_STEPS`` on where there is one. GPU: torch's fused attention, no compiler.

    Args:
        config: the model.
        recipe: what it asks for counts before the rule.
        device: where the training runs.
        num_steps: of the whole training; 0 where that is not known.
    """
    on_cpu = device == "cpu"
    short = config.num_tokens <= EXPLICIT_UP_TO_TOKENS
    attention = "explicit" if on_cpu and short else "sdpa"
    dtype = "bfloat16" if has_bfloat16(device) and config.embed_dim >= BFLOAT16_FROM_EMBED_DIM else "float32"
    compiling = on_cpu and num_steps >= COMPILE_FROM_STEPS and has_cpp_compiler()
    return Compute(
        attention if recipe.attention == "auto" else recipe.attention,
        dtype if recipe.dtype == "auto" else recipe.dtype,
        compiling if recipe.compile == "auto" else bool(recipe.compile),
    )


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
