"""What CUDA's kernels take for as long as they run, beside their results: rules read from torch's sources.

Found with ``torch.cuda.memory._record_memory_history`` on an H100, to which ``bench/test_tracer.py`` holds them; what
``bench/predicted_memory.py`` adds to the tensors of a trace.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

FLOAT = 4
"""Bytes; kernels add up in float32."""
SUM_VALUES, SUM_THREADS, SUM_WARP, SUM_AT_ONCE = 16, 512, 32, 4
"""Least values a thread adds, threads a block, lanes a warp, neighbours a thread (cuda/Reduce.cuh, setReduceConfig)."""
SUM_IN_A_BLOCK = 256
"""Values a thread from which the rows of a sum are split over blocks."""
THREADS_AT_ONCE = 132 * 2048
"""Of an H100; a sum is split over no more blocks than run at once, unless their threads would add too many values."""
SPLITS_TIMES_HEADS = 200
"""Keys are split over so many blocks at most, where their gradients are added up apart."""

Workspace = Callable[..., int]


def workspace_bytes(func: Any, args: Any) -> int:
    """Of one call of an operator; 0 where none is known."""
    rule = WORKSPACES.get(func)
    return 0 if rule is None else rule(*args)


def _softmax_backward(gradient: Tensor, *_: Any) -> int:
    """Gradient times output (cuda/SoftMax.cu, softmax_backward_cuda_out)."""
    return gradient.nbytes


def _attention_backward(_: Tensor, q: Tensor, k: Tensor, v: Tensor, *__: Any) -> int:
    """Of the memory-efficient kernel: what the gradient of queries is added up in, and in a lower precision, where
    heads are wide, those of keys and values (transformers/cuda/mem_eff_attention/kernel_backward.h, workspace_size).
    """
    b, heads, reads, width = q.shape
    of_queries, of_keys, most = _tile(max(width, v.shape[-1]), q.element_size() < FLOAT)
    queries = -(-reads // of_queries) * -(-width // of_keys) * (of_queries * of_keys + 4)
    keys = 0
    if q.element_size() < FLOAT and most > of_queries:
        splits = max(1, min(-(-k.shape[2] // of_keys), SPLITS_TIMES_HEADS // (b * heads)))
        keys = splits * of_keys * sum(-(-one.shape[-1] // of_queries) * of_queries for one in (k, v))
    return b * heads * FLOAT * (queries + keys)


def _tile(width: int, half: bool) -> tuple[int, int, int]:
    """Queries and keys a block of the first kernel that takes heads of this width, and how wide they may be."""
    wide = 65536
    kernels = [(64, 64, 32), (64, 64, 64), (128, 128 if half else 64, 128), (128, 64, wide)]
    return next(kernel for kernel in kernels if width <= kernel[2])


def _sum(summed: Tensor, dims: list[int] | None = None, *_: Any) -> int:
    """Of a sum over rows, the parts that blocks leave for one another; a sum along rows leaves little."""
    reduced = {dim % summed.ndim for dim in dims or range(summed.ndim)}
    if summed.ndim - 1 in reduced or not summed.is_contiguous() or not summed.numel():
        return 0
    rows = math.prod(summed.shape[dim] for dim in reduced)
    outputs = summed.numel() // rows
    together = next(n for n in (SUM_AT_ONCE, 2, 1) if outputs % n == 0)
    threads = SUM_THREADS // together
    lanes, warps = min(_power(outputs // together), SUM_WARP), min(_power(rows), threads)
    warps = min(warps, threads // lanes)
    lanes = min(_power(outputs // together), threads // warps)
    each = -(-rows // warps)
    if rows < min(16 * warps, SUM_IN_A_BLOCK) or each < SUM_IN_A_BLOCK:
        return 0
    running, columns = THREADS_AT_ONCE // (lanes * warps), -(-outputs // (together * lanes))
    if columns > running:
        return 0
    blocks = max(min(-(-running // columns), -(-each // SUM_VALUES)), -(-each // SUM_IN_A_BLOCK))
    return FLOAT * outputs * blocks * lanes * together if blocks > 1 else 0


def _power(number: int) -> int:
    return 1 << (max(1, number).bit_length() - 1)


WORKSPACES: dict[Any, Workspace] = {
    torch.ops.aten._softmax_backward_data.default: _softmax_backward,
    torch.ops.aten._scaled_dot_product_efficient_attention_backward.default: _attention_backward,
    torch.ops.aten.sum.dim_IntList: _sum,
}
"""By operator; called with its arguments, returns bytes."""
