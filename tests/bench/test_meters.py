import gc
import math
import mmap

import pytest
import torch
from torch import nn

from bench import memory, timing
from bench.meters import (
    Memory,
    Ratio,
    Timing,
    count_flops,
    host_peak,
    interleaved,
    paired_ratio,
    peak_memory,
    warm_up,
)
from vit import POOLINGS, PRESETS, ViT


class Clock:
    """Stands in for perf_counter: tasks move it on, nothing else does."""

    def __init__(self):
        self.now = 0.0
        self.calls = []

    def __call__(self):
        return self.now

    def task(self, name, *seconds):
        """Takes the next of ``seconds`` a call, then the last for ever."""
        remaining = list(seconds)

        def run():
            self.calls.append(name)
            self.now += remaining.pop(0) if len(remaining) > 1 else remaining[0]

        return run


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "perf_counter", clock)
    return clock


def test_interleaved_divides_each_burst_by_its_calls(clock):
    found = interleaved({"a": clock.task("a", 0.001), "b": clock.task("b", 0.004)}, rounds=5, round_seconds=0.02)
    assert found["a"].seconds == pytest.approx([0.001] * 5)
    assert found["b"].seconds == pytest.approx([0.004] * 5)


def test_every_round_has_every_task_once_in_another_order(clock):
    seen = []
    tasks = {name: clock.task(name, 1.0) for name in "abc"}
    interleaved(tasks, rounds=3, round_seconds=0.1, on_round=lambda index: seen.append(index))
    rounds = ["".join(clock.calls[-9 + i : len(clock.calls) - 6 + i]) for i in (0, 3, 6)]
    assert {"".join(sorted(order)) for order in rounds} == {"abc"}
    assert len(set(rounds)) > 1
    assert seen == [0, 1, 2]


@pytest.mark.parametrize(("seconds", "calls"), [(0.001, 100), (0.03, 3), (5.0, 1)])
def test_a_burst_fills_the_round(clock, seconds, calls):
    counts = []
    interleaved(
        {"a": clock.task("a", seconds)},
        rounds=2,
        round_seconds=0.1,
        on_round=lambda index: counts.append(len(clock.calls)),
    )
    assert counts[1] - counts[0] == calls


def test_warm_up_goes_on_while_calls_get_faster(clock):
    falling = [2.0**-k for k in range(10)]
    assert warm_up(clock.task("a", *falling), round_seconds=0.0) == falling[-1]
    assert len(clock.calls) == 11  # one more that is no faster ends it: each call is longer than a round


def test_warm_up_is_bounded(clock):
    warm_up(clock.task("a", *[0.5**k for k in range(1000)]), round_seconds=0.0)
    assert len(clock.calls) == 1 + timing.MAX_WARMUP_BURSTS


def test_a_first_call_that_compiles_does_not_count(clock):
    found = interleaved({"a": clock.task("a", 20.0, 0.01)}, rounds=3, round_seconds=0.1)
    assert found["a"].median == pytest.approx(0.01)


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_rests_and_comes_back(enabled):
    was_enabled, seen = gc.isenabled(), []
    try:
        (gc.enable if enabled else gc.disable)()
        interleaved({"a": lambda: seen.append(gc.isenabled())}, rounds=1, round_seconds=0.0)
        assert gc.isenabled() == enabled
        with pytest.raises(ZeroDivisionError):
            interleaved({"a": lambda: 1 / 0}, rounds=1)
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
    assert not any(seen)


@pytest.mark.parametrize(("tasks", "rounds"), [({}, 3), ({"a": int}, 0)])
def test_nothing_to_measure_is_refused(tasks, rounds):
    with pytest.raises(ValueError, match="at least 1"):
        interleaved(tasks, rounds=rounds)


def test_timing_summaries():
    timing_ = Timing((1.0, 2.0, 3.0, 4.0, 100.0))
    assert (timing_.median, timing_.iqr, timing_.rate(128)) == (3.0, 2.0, pytest.approx(128 / 3))
    assert timing_.noisy
    assert not Timing((1.0, 1.0, 1.05)).noisy


def test_ratio_of_known_numbers():
    # log ratios ln 2 + (-0.1, 0, 0.1): mean ln 2, sd 0.1, half width 4.302653 * 0.1 / sqrt(3)
    b = Timing((1.0, 2.0, 5.0))
    a = Timing(tuple(2 * s * math.exp(d) for s, d in zip(b.seconds, (-0.1, 0.0, 0.1), strict=True)))
    half = 4.302652729911275 * 0.1 / math.sqrt(3)
    found = paired_ratio(a, b)
    assert found.ratio == pytest.approx(2.0)
    assert (found.low, found.high) == pytest.approx((2 * math.exp(-half), 2 * math.exp(half)))
    assert found.differs
    assert not Ratio(1.1, 0.9, 1.3).differs


def test_ratio_turned_round_is_its_inverse():
    a, b = Timing((1.0, 1.2, 1.1, 1.3)), Timing((2.0, 2.1, 2.2, 2.3))
    there, back = paired_ratio(a, b), paired_ratio(b, a)
    assert (back.ratio, back.low, back.high) == pytest.approx((1 / there.ratio, 1 / there.high, 1 / there.low))


@pytest.mark.parametrize(("a", "b"), [((1.0,), (1.0,)), ((1.0, 2.0), (1.0, 2.0, 3.0))])
def test_ratio_refuses_what_is_not_paired(a, b):
    with pytest.raises(ValueError, match="same number"):
        paired_ratio(Timing(a), Timing(b))


def test_t_quantile_against_scipy():
    from scipy.stats import t

    for df in range(1, 60):
        assert timing.t_quantile(df) == pytest.approx(t.ppf(0.975, df), rel=2e-3)


def by_hand(config):
    """2 per multiply-add: embedding, blocks, head. The last block computes what the pooling reads, no more."""
    n, d = config.num_tokens, config.embed_dim
    reads = POOLINGS[config.pooling].reads
    last = n * mixing_by_hand(config) if reads is None else reads * reading_by_hand(config)
    blocks = (config.depth - 1) * n * (mixing_by_hand(config) + rest_by_hand(config))
    blocks += last + (reads or n) * rest_by_hand(config)
    return 2 * config.num_patches * config.patch_dim * d + blocks + 2 * d * config.num_classes


def mixing_by_hand(config):
    """A token's q, k and v, q k^T, weights times v."""
    n, d = config.num_tokens, config.embed_dim
    return 2 * d * 3 * d + 2 * (2 * n * d)


def reading_by_hand(config):
    """The same of one query, without k and v: q, turned, times all tokens for every head, the means, v of these."""
    n, d = config.num_tokens, config.embed_dim
    return 3 * (2 * d * d) + 2 * (2 * n * d * config.num_heads)


def rest_by_hand(config):
    """A token's projection and MLP."""
    d = config.embed_dim
    return (2 * d * d if config.out_proj else 0) + 2 * (2 * d * int(d * config.mlp_ratio))


@pytest.mark.parametrize("kernel", ["explicit", "sdpa"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("preset", ["notebook", "tiny", "small"])
def test_flops_equal_the_hand_formula(preset, pooling, kernel):
    config = PRESETS[preset].replace(pooling=pooling)
    model = ViT(config).use_attention(kernel)
    assert count_flops(model, (1, 28, 28)) == by_hand(config)
    assert model.training


@pytest.mark.parametrize("positional", ["relative", "rope2d"])
def test_flops_do_not_depend_on_the_kernel(positional):
    model = ViT(PRESETS["tiny"].replace(positional=positional, pooling="map"))
    counts = {k: count_flops(model.use_attention(k), (1, 28, 28)) for k in ("explicit", "sdpa")}
    assert counts["explicit"] == counts["sdpa"]


def test_flops_of_any_model_that_uses_sdpa():
    layer = nn.MultiheadAttention(8, 2, batch_first=True)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, images):
            q = images.flatten(2).mT[:, :, :8]
            return nn.functional.scaled_dot_product_attention(q[:, None], q[:, None], q[:, None])

    assert count_flops(Net(), (8, 3, 4)) == 4 * 12 * 12 * 8


def test_no_gpu_no_invented_memory():
    assert peak_memory(lambda: 1 / 0, "cpu") == Memory(None, None, "unavailable: no GPU")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_peak_counts_what_a_step_allocates():
    found = peak_memory(lambda: torch.empty(64 * 2**20, dtype=torch.uint8, device="cuda"), "cuda")
    assert found.source == "measured"
    assert 64 <= found.allocated_mib <= found.reserved_mib


def test_host_peak_sees_what_was_freed_again():
    with host_peak() as idle:
        pass
    if idle.mib is None:
        pytest.skip("no high-water mark here")
    with host_peak() as busy, mmap.mmap(-1, 64 * 2**20) as fresh:  # malloc might hand out pages freed before
        fresh.write(b"x" * len(fresh))
    assert busy.mib > idle.mib + 48


def test_host_peak_is_none_where_it_cannot_be_read(monkeypatch):
    def refuse(*args):
        raise PermissionError

    monkeypatch.setattr(memory.Path, "write_text", refuse)
    with host_peak() as peak:
        pass
    assert peak.mib is None
