"""The meters, shared by the benches and the studies: time, FLOPs, memory."""

from bench.flops import count_flops
from bench.memory import HostPeak, Memory, host_peak, peak_memory
from bench.predicted_memory import predict_peak, train_step_builder
from bench.timing import Ratio, Timing, interleaved, paired_ratio, synchronize, warm_up

__all__ = [
    "HostPeak",
    "Memory",
    "Ratio",
    "Timing",
    "count_flops",
    "host_peak",
    "interleaved",
    "paired_ratio",
    "peak_memory",
    "predict_peak",
    "synchronize",
    "train_step_builder",
    "warm_up",
]
