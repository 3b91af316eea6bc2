"""What the tracer of peak memory counts, rule by rule; ``bench/test_memory.py`` holds it against real allocators."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from bench.cpu_memory import cpu_peak
from bench.gpu_workspace import workspace_bytes
from bench.predicted_memory import traced_peak


def bytes_of(step, **options):
    return traced_peak(lambda: step, **options)


def test_tensors_alive_at_once_are_added_and_views_are_free():
    def step():
        a = torch.empty(1000)
        b = a[:10].view(2, 5).T
        del a
        c = torch.empty(250)
        del b, c
        torch.empty(100)

    assert bytes_of(step) == 4000 + 1000
    assert bytes_of(step, block=512) == 4096 + 1024


@pytest.mark.parametrize(("strided", "tensors"), [(False, 3), (True, 4)], ids=["contiguous", "strided"])
def test_a_softmax_copies_a_strided_gradient(strided, tensors):
    """Gradient, output and result; the copy is no tensor that anyone sees, but real and traced alike."""

    def step():
        gradient, output = torch.ones(2, 64, 64), torch.ones(2, 64, 64)
        torch.ops.aten._softmax_backward_data(gradient.mT if strided else gradient, output, -2, torch.float32)

    with cpu_peak() as peak:
        step()
    assert bytes_of(step) == peak.tensors == tensors * 2 * 64 * 64 * 4


def test_old_gradients_live_through_the_next_forward():
    original = torch.nn.Linear(256, 256, bias=False)

    def build():
        model = copy.deepcopy(original)

        def step():
            loss = model(torch.empty(256, 256)).sum()
            model.zero_grad()
            loss.backward()

        return step

    tensor = 4 * 256 * 256  # weight, old gradient, input, output
    assert traced_peak(build) == pytest.approx(4 * tensor, rel=0.01)


@pytest.mark.parametrize("held", [False, True], ids=["in place", "held"])
def test_gradients_of_what_is_read_twice_are_added_as_autograd_does(held):
    def step():
        x = torch.ones(64, 64, requires_grad=True)
        twice = x.exp()
        once_more = twice[None] if held else twice  # its gradient is handed on as a view of another's
        (twice.neg().sum() + once_more.neg().sum()).backward()

    with cpu_peak() as peak:
        step()
    assert bytes_of(step) == pytest.approx(peak.tensors, rel=0.01)


def layer_norm():
    return F.layer_norm(torch.empty(8, 64, dtype=torch.bfloat16), (64,))


def dropped():
    return torch.nn.Dropout(0.5)(torch.empty(1000))


@pytest.mark.parametrize(
    ("step", "more_bytes"), [(layer_norm, 8 * 64 * (4 + 2)), (dropped, -3000)], ids=["norm", "drop"]
)
def test_a_gpu_norms_in_float32_and_drops_with_bytes(step, more_bytes):
    def autocast():
        with torch.autocast("cpu", torch.bfloat16):
            return step()

    assert abs(bytes_of(autocast, as_on_gpu=True) - bytes_of(autocast) - more_bytes) <= 64


def tensors(*shapes, dtype):
    return [torch.empty(shape, dtype=dtype, device="meta") for shape in shapes]


ATTENTION = torch.ops.aten._scaled_dot_product_efficient_attention_backward.default
SOFTMAX, SUM = torch.ops.aten._softmax_backward_data.default, torch.ops.aten.sum.dim_IntList
READS, TOKENS = (256, 1, 6, 384), (256, 1, 17, 384)


@pytest.mark.parametrize(
    ("operator", "shapes", "more", "dtype", "mib"),
    [
        (ATTENTION, [READS, READS, TOKENS, TOKENS], [], "float32", 48.0234375),
        (ATTENTION, [READS, READS, TOKENS, TOKENS], [], "bfloat16", 96.0234375),
        (ATTENTION, [(1024, 1, 5, 16)] * 4, [], "float32", 16.015625),
        (ATTENTION, [(1024, 1, 17, 64)] * 4, [], "float32", 16.015625),
        (SOFTMAX, [(64, 1, 197, 197)] * 2, [], "float32", 9.474853515625),
        (SUM, [(4352, 128)], [[0]], "float32", 4.25),
        (SUM, [(4096, 128)], [[0]], "bfloat16", 4.0),
        (SUM, [(128, 17)], [[0]], "float32", 0),
        (SUM, [(400_000, 64)], [[0]], "float32", 2112 * 64 * 64 / 2**18),  # by the rule: more rows, no more blocks
        (SUM, [(4352, 128)], [[1]], "float32", 0),
        (torch.ops.aten.mm.default, [(64, 64)] * 2, [], "float32", 0),
    ],
)
def test_workspace_is_what_an_h100_takes(operator, shapes, more, dtype, mib):
    """As its allocator recorded it (torch.cuda.memory._record_memory_history), where no line says otherwise."""
    found = workspace_bytes(operator, [*tensors(*shapes, dtype=getattr(torch, dtype)), *more])
    assert found == pytest.approx(mib * 2**20, abs=512)


def test_only_a_gpu_takes_workspace():
    def step():
        torch.ops.aten.sum.dim_IntList(torch.empty(4352, 128), [0])

    assert bytes_of(step, as_on_gpu=True) - bytes_of(step) == 4.25 * 2**20
