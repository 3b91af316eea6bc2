"""Where the time of a train step goes, by kind of operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from bench.files import write_text
from bench.tables import markdown_table, provenance_lines, write_csv
from bench.timing import Task, warm_up

# kind -> what its operators' names contain; the first that fits counts
KINDS = {
    "linear layers": ("aten::mm", "aten::addmm", "mkldnn_linear"),
    "attention products": ("aten::bmm", "aten::baddbmm", "scaled_dot_product"),
    "loss": ("log_softmax", "nll_loss"),
    "softmax": ("softmax",),
    "layer norm": ("layer_norm",),
    "activation": ("gelu", "relu", "threshold_backward"),
    "copies and conversions": ("aten::copy_", "aten::cat", "aten::clone", "aten::_to_copy"),
    "optimizer": ("adam", "Optimizer"),
    "sums and elementwise": ("aten::add", "aten::mul", "aten::sum", "aten::div", "aten::fill_"),
}
REST = "dispatch: views, allocation, autograd's own work, Python"


@dataclass(frozen=True)
class Part:
    """Time in one kind of operator: milliseconds a step, share of the step, operators a step."""

    kind: str
    milliseconds: float
    share: float
    calls: float


def profile_step(step: Task, steps: int = 10) -> list[Part]:
    """Self time of every kind over some steps, after a warm-up, the longest first; on a CPU.

    The profiler's own cost, a few microseconds an operator, is in it: mostly in the last kind.
    """
    warm_up(step)
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        for _ in range(steps):
            step()
    time: dict[str, float] = dict.fromkeys((*KINDS, REST), 0.0)
    calls = dict.fromkeys(time, 0)
    for event in recorded.key_averages():
        kind = _kind(event.key)
        time[kind] += event.self_cpu_time_total / 1e3  # from microseconds
        calls[kind] += event.count
    total = sum(time.values())
    parts = [Part(kind, time[kind] / steps, time[kind] / total, calls[kind] / steps) for kind in time]
    return sorted(parts, key=lambda part: -part.share)


def write_profile(folder: Path, parts: Sequence[Part], headline: str, provenance: Mapping[str, str]) -> None:
    """Write ``profile.csv`` and ``profile.md``.

    Raises:
        OSError: the folder cannot be written.
    """
    write_csv(folder, "profile.csv", [asdict(part) for part in parts])
    lines = [[p.kind, f"{p.milliseconds:.2f}", f"{p.share:.1%}", f"{p.calls:.0f}"] for p in parts]
    table = markdown_table(["part", "ms a step", "share", "operators a step"], lines)
    title = "# Where the time of our train step goes"
    note = "FLOPs of a step: three times those of the forward pass. Times are torch.profiler's, its own cost included."
    text = f"{title}\n\n{headline}\n{note}\n\n{table}\n## Measured with\n\n{provenance_lines(provenance)}"
    write_text(folder, "profile.md", text)


def _kind(name: str) -> str:
    return next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), REST)
