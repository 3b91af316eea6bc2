"""Peak GPU memory of a training step, without a GPU: the step is traced on tensors that have no data.

Counted: weights, gradients, optimizer state, activations, every operator's outputs, the batch, each tensor
rounded up to 512 bytes as the CUDA caching allocator does (c10/cuda/CUDACachingAllocator.cpp, kMinBlockSize),
and what the caller says is resident besides. That is what ``torch.cuda.max_memory_allocated`` counts.
What a GPU's kernels take as they run is added (``bench/gpu_workspace.py``). Not counted: what cuBLAS keeps (8 to 32
MiB a thread), segments that the allocator reserves beyond the tensors, and the CUDA context.

Calibrated: the tracer, against the peak of the CPU allocator over real steps, the workspace of matrix products
counted apart (``bench/cpu_memory.py``, ``bench/test_memory.py``).
``_AsOnGpu``, what a GPU does differently, is written from torch's sources and within 5 % of
``max_memory_allocated`` in 30 conditions on an H100 (results/published/bench-h100/memory.md).
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.gpu_workspace import workspace_bytes
from bench.memory import MIB, Memory
from vit import ViT, ViTConfig

CUDA_BLOCK = 512
"""Bytes; every CUDA allocation is a multiple."""
STEPS = 2
"""The first step makes the optimizer's state, the second begins with all of it and the old gradients."""

FLASH_UP_TO = 256
"""Width of a head, wider than which there is no flash attention (transformers/cuda/sdp_utils.cpp)."""
WANT_CONTIGUOUS = frozenset({torch.ops.aten._softmax.default, torch.ops.aten._softmax_backward_data.default})
"""Operators that copy strided arguments for as long as they run (aten/src/ATen/native/SoftMax.cpp, cuda/SoftMax.cu)."""

Step = Callable[[], object]
Builder = Callable[[], Step]
TrainStep = Callable[[Tensor, Tensor], object]
"""Images ``(b, c, h, w)`` and labels ``(b,)``: forward, backward and update."""


def predict_peak(build: Builder, resident_bytes: int = 0) -> Memory:
    """Peak memory of a training on a GPU, predicted; an eager one, since a compiler plans its own buffers.

    Args:
        build: makes model and optimizer and returns the step; `copy.deepcopy` in it yields tensors without
            data, and what it computes must not look at values.
        resident_bytes: what else lies on the device all the time, the data set above all.

    Raises:
        Exception: whatever ``build`` or its step raises, for example because they do look at values.
    """
    peak = traced_peak(build, CUDA_BLOCK, as_on_gpu=True) + resident_bytes
    return Memory(peak / MIB, None, "predicted (eager step traced without data)")


def traced_peak(build: Builder, block: int = 1, as_on_gpu: bool = False) -> int:
    """Peak bytes of all tensors alive at once while ``build`` and ``STEPS`` steps run, on fake CPU tensors.

    Args:
        build: makes model and optimizer and returns the step.
        block: every tensor takes a multiple of so many bytes.
        as_on_gpu: choose kernels and number formats as a GPU does; else as this CPU does.
    """
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with FakeCopyMode(fake):
        step = build()
    with fake, _Storages(block, as_on_gpu) as storages, _AsOnGpu() if as_on_gpu else nullcontext():
        for _ in range(STEPS):
            step()
    return int(storages.peak)


def train_step_builder(
    config: ViTConfig,
    batch_size: int,
    step_of: Callable[[ViT], TrainStep],
    attention: str = "sdpa",
    device: str = "cpu",
) -> Builder:
    """The builder of a model's training on batches that each step allocates anew, as a training does.

    Args:
        config: the model.
        batch_size: images a step.
        step_of: a model's train step, with its optimizer; as ``steps.choice.step_of``.
        attention: an entry of ``ATTENTION_KERNELS``.
        device: where; ``predict_peak`` wants ``cpu``.
    """

    original = ViT(config).use_attention(attention)  # with data: some initialisations look at their values

    def build() -> Step:
        model = copy.deepcopy(original)  # without data, where the trace asks for that
        if device != "cpu":
            model.to(device)
        train_step = step_of(model)

        def step() -> object:
            images = torch.zeros(batch_size, config.in_channels, *config.image_shape, device=device)
            labels = torch.zeros(batch_size, dtype=torch.int64, device=device)
            return train_step(images, labels)

        return step

    return build


class _Storages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the memory behind what operators read and write, until the last tensor on it is gone."""

    def __init__(self, block: int, as_on_gpu: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.block, self.as_on_gpu = block, as_on_gpu
        self.sizes: dict[int, int] = {}
        self.total = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, out)):
            if isinstance(leaf, Tensor):
                self._add(leaf.untyped_storage())
        if not _in_place_elsewhere(func, args):
            self.peak = max(self.peak, self.total + self._meanwhile(func, args))
        return out

    def _meanwhile(self, func: Any, args: Any) -> int:
        """What the operator takes beside its results, for as long as it runs."""
        taken = self._rounded(workspace_bytes(func, args)) if self.as_on_gpu else 0
        if func in WANT_CONTIGUOUS:
            taken += sum(self._rounded(leaf.nbytes) for leaf in args if _is_strided(leaf))
        return taken

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self.sizes:
            return
        self.sizes[key] = self._rounded(storage.nbytes())
        self.total += self.sizes[key]
        weakref.finalize(storage, self._remove, key).atexit = False

    def _remove(self, key: int) -> None:
        self.total -= self.sizes.pop(key)

    def _rounded(self, num_bytes: int) -> int:
        return -(-num_bytes // self.block) * self.block


def _in_place_elsewhere(func: Any, args: Any) -> bool:
    """Whether this adds up two gradients of a tensor that was read twice, as autograd does it in place with data.

    It does so where nobody else holds the first (torch/csrc/autograd/input_buffer.cpp, accumulate). Tensors without
    data always get a new one in the trace, and the first is gone before the next call.
    """
    if func is not torch.ops.aten.add.Tensor or torch._C._current_graph_task_id() == -1 or _is_strided(args[0]):
        return False
    storage = args[0].untyped_storage()
    return bool(torch._C._storage_Use_Count(storage._cdata) == 2)  # the gradient and this handle


def _is_strided(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and not leaf.is_contiguous()


class _AsOnGpu(TorchFunctionMode):
    """On CPU tensors, the kernels and number formats of a GPU: fused attention and dropout, CUDA's autocast.

    CUDA's autocast computes more in float32 than the CPU's (aten/src/ATen/autocast_mode.h,
    AT_FORALL_FP32 and AT_FORALL_FP32_SET_OPT_DTYPE); what a ViT may use of those lists is named here.
    """

    FLOAT32 = frozenset(
        {"layer_norm", "group_norm", "softmax", "log_softmax", "sum", "prod", "cumsum", "norm"}
        | {"exp", "log", "pow", "rsqrt", "reciprocal"}
    )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "scaled_dot_product_attention":
            return _gpu_attention(*args, **kwargs)
        if func is F.dropout:
            return _gpu_dropout(*args[:3], **kwargs)
        if name in self.FLOAT32 and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return func(*(_float32(a) for a in args), **{key: _float32(a) for key, a in kwargs.items()})
        return func(*args, **kwargs)


def _float32(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value


def _gpu_dropout(x: Tensor, p: float = 0.5, training: bool = True, **_: Any) -> Tensor:
    return torch.native_dropout(x, p, training)[0] if training and p else x


def _gpu_attention(
    q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0, is_causal: bool = False
) -> Tensor:
    """Flash attention where it can be (half precision, no mask), else the memory-efficient kernel.

    Their buffers, from the operators' own shape functions; padding as in aten/.../transformers/attention.cpp.
    """
    if torch.is_autocast_enabled("cpu"):
        q, k, v = (t.to(torch.get_autocast_dtype("cpu")) for t in (q, k, v))
    head_dim = q.shape[-1]
    if q.dtype != torch.float32 and attn_mask is None and head_dim <= FLASH_UP_TO:
        q, k, v = (F.pad(t, (0, -head_dim % 8)) if head_dim % 8 else t for t in (q, k, v))
        out: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, dropout_p, is_causal)[0]
        return out[..., :head_dim]
    if attn_mask is not None:
        n = attn_mask.shape[-1]
        padded = F.pad(attn_mask.to(q.dtype), (0, -n % 16))[..., :n] if n % 16 else attn_mask.to(q.dtype)
        attn_mask = padded.expand(*q.shape[:3], n)
    fused = torch.ops.aten._scaled_dot_product_efficient_attention
    found: Tensor = fused(q, k, v, attn_mask, torch.is_grad_enabled(), dropout_p, is_causal)[0]
    return found
