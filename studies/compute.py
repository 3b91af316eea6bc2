"""How the arithmetic of a training is done: attention kernel, number format, compiler.

``auto`` follows a rule for the device and shape, written here; a Recipe can force each. The record of a
trial says what was used.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from studies.recipe import Recipe
from vit import ViTConfig

TORCH_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

# Measured on a CPU with bfloat16 instructions (results/compute-cpu): below, conversions cost what products save
BFLOAT16_FROM_EMBED_DIM = 64
EXPLICIT_UP_TO_TOKENS = 256


@dataclass(frozen=True)
class Compute:
    """What was chosen: an entry of ``ATTENTION_KERNELS``, ``"float32"`` or ``"bfloat16"``, and whether to compile."""

    attention: str
    dtype: str
    compile: bool

    @property
    def torch_dtype(self) -> torch.dtype:
        """For autocast; weights stay in float32."""
        return TORCH_DTYPES[self.dtype]


def resolve(config: ViTConfig, recipe: Recipe, device: str) -> Compute:
    """Replace every ``auto`` by the rule for this device and shape.

    CPU: attention written out, which beats torch's fused kernel for short sequences; bfloat16 autocast from
    ``BFLOAT16_FROM_EMBED_DIM`` on where the processor multiplies bfloat16; no compiler, whose 13 to 27 s per
    shape only a long training earns back (``--set compile=True``). GPU: torch's fused attention.
    """
    on_cpu = device == "cpu"
    short = config.num_tokens <= EXPLICIT_UP_TO_TOKENS
    attention = "explicit" if on_cpu and short else "sdpa"
    dtype = "bfloat16" if has_bfloat16(device) and config.embed_dim >= BFLOAT16_FROM_EMBED_DIM else "float32"
    return Compute(
        attention if recipe.attention == "auto" else recipe.attention,
        dtype if recipe.dtype == "auto" else recipe.dtype,
        recipe.compile,
    )


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
