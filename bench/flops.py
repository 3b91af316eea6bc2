"""FLOPs of a forward pass, attention included."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count


def count_flops(model: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Forward FLOPs of one image ``(c, h, w)``: 2 per multiply-add of every matrix product.

    Attention counts the same whatever its kernel: torch's counter knows no fused kernel of the CPU, so the
    formula is given here. The model comes back as it was, in training mode or not.
    """
    probe = next(model.parameters())
    image = torch.zeros(1, *image_shape, device=probe.device, dtype=probe.dtype)
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=_FUSED_ON_CPU) as counter:
            model(image)
    finally:
        model.train(training)
    return int(counter.get_total_flops())


def _fused_attention_flops(query: list[int], key: list[int], value: list[int], *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


_FUSED_ON_CPU = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _fused_attention_flops}
