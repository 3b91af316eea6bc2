import pytest
import torch

from bench.cpu_memory import Change, cpu_peak, peaks


def test_only_what_a_product_gives_back_is_workspace():
    """A product takes 100 bytes for itself and 40 for its output; another operator's passing 30 count."""
    product = [Change(100, 1, 7), Change(40, 2, 7), Change(-100, 1, 7)]
    after = [Change(30, 1, None), Change(-30, 1, None), Change(-40, 2, None)]
    assert peaks([*product, *after]) == (40 + 30, 100 + 40)


def test_an_output_freed_in_a_later_product_is_no_workspace():
    assert peaks([Change(40, 1, 7), Change(8, 2, 8), Change(-40, 1, 8), Change(-8, 2, None)]) == (48, 48)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_product_costs_its_output_whatever_the_kernel(dtype):
    a, b = torch.randn(96, 200).to(dtype), torch.randn(200, 40).to(dtype)
    with cpu_peak() as peak:
        out = a @ b
    assert peak.tensors == out.nbytes <= peak.with_workspace


def test_what_another_operator_takes_for_a_moment_counts():
    """A median sorts a copy of its input, and gives it back."""
    values = torch.arange(1000.0)
    with cpu_peak() as peak:
        values.median()
    assert peak.tensors >= values.nbytes
